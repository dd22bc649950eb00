# requests against uvicorn and FastAPI: kept-alive sessions, streams, forms, validation errors, WebSocket refused.
pair_up
serve s 8000 uvicorn --app-dir "$RECORD/servers" --host 0.0.0.0 --port 8000 --http httptools asgi:application
serve s 8001 uvicorn --app-dir "$RECORD/servers" --host 0.0.0.0 --port 8001 --http h11 asgi:application
capture c eth0 uvicorn
on c python3 "$RECORD/clients/session.py" http://10.77.0.1:8000
on c python3 "$RECORD/clients/session.py" http://10.77.0.1:8001
get -X POST -H 'content-type: application/json' -d '{"id":"not a number"}' http://10.77.0.1:8000/items http://10.77.0.1:8001/items
get -X POST -H 'content-type: application/json' -d '{"id":7,"name":"seven"}' http://10.77.0.1:8000/items http://10.77.0.1:8000/openapi.json
capture_end
expected uvicorn
describe uvicorn 'requests to uvicorn (httptools and h11) with FastAPI: kept-alive sessions, JSON, forms, multipart, chunked both ways, 422' "$(uvicorn --version | cut -d' ' -f2-3)" "requests $(python3 -c 'import requests;print(requests.__version__)')"
