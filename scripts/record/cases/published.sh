# curl against FastAPI with parameters of every kind in its paths, and the specification that the service publishes.
pair_up
serve s 8000 uvicorn --app-dir "$RECORD/servers" --host 0.0.0.0 --port 8000 --http httptools published:application
capture c eth0 published
api=http://10.77.0.1:8000
customer=3f2504e0-4f89-41d3-9a0c-0305e82c3301
item=7d444840-9dc0-11d1-b245-5ffdce74fad2
json=(-H 'content-type: application/json')
get $api/health "$api/orders?page=2&limit=2" $api/orders
get "${json[@]}" -d "{\"customer\":\"$customer\",\"products\":[\"tea\",\"cup\"]}" $api/orders
get "${json[@]}" -d '{"customer":"nobody"}' $api/orders
get $api/orders/1001 $api/orders/1002 $api/orders/9001 $api/orders/1001/items/$item
get -X PUT "${json[@]}" -d "{\"id\":\"$item\",\"product\":\"cup\",\"count\":3,\"note\":\"blue\"}" $api/orders/1001/items/$item
get -X DELETE $api/orders/1002
get $api/customers/$customer/orders $api/reports/2026-11-29 $api/reports/2026-11-30
get $api/openapi.json
capture_end
expected published
describe published 'curl to a FastAPI service with numbers, UUIDs and dates in its paths, and the OpenAPI document that it publishes' "$(uvicorn --version | cut -d' ' -f2-3)" "FastAPI $(python3 -c 'import fastapi;print(fastapi.__version__)')"
