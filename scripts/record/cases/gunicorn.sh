# requests against gunicorn with threads: kept-alive sessions, generators (chunked), forms, files, redirects.
pair_up
serve s 8000 gunicorn -k gthread -w 1 --threads 4 --keep-alive 5 -b 0.0.0.0:8000 --chdir "$RECORD/servers" wsgi:application
capture s eth0 gunicorn
on c python3 "$RECORD/clients/session.py" http://10.77.0.1:8000
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 8000 'text:POST /echo?n=c1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /stream?n=c2 HTTP/1.1\r\nHost: a\r\n\r\n' read:2
capture_end
expected gunicorn
describe gunicorn 'requests to gunicorn (gthread): kept-alive sessions, JSON, forms, multipart, chunked both ways, redirects, pipelining' "$(gunicorn --version)" "requests $(python3 -c 'import requests;print(requests.__version__)')"
