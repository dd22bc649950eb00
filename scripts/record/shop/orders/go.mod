module itg-orders

go 1.22
