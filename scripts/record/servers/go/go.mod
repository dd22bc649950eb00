module itg-go

go 1.22
