"""The shop's payments and accounts (WSGI, under gunicorn): charges, a login form, a probe and metrics."""
import json
from urllib.parse import parse_qs


def application(environ, start_response):
    path = environ['PATH_INFO']
    received = environ['wsgi.input'].read()
    status, kind = '200 OK', 'application/json'
    if path == '/healthz':
        kind, body = 'text/plain', 'ok\n'
    elif path == '/metrics':
        kind, body = 'text/plain; version=0.0.4', 'payments_total 3\n'
    elif path == '/login':
        form = parse_qs(received.decode())
        body = json.dumps({'user': form['user'][0], 'token': 'made-up-token', 'expires': 3600})
    elif path == '/payments':
        charge = json.loads(received)
        if charge['amount'] > 100000:
            status, body = '500 Internal Server Error', json.dumps({'error': 'the bank does not answer'})
        else:
            body = json.dumps({'payment': f"p-{charge['order']}", 'state': 'captured', 'amount': charge['amount']})
    else:
        status, body = '404 Not Found', json.dumps({'error': 'not found'})
    data = body.encode()
    start_response(status, [('Content-Type', kind), ('Content-Length', str(len(data)))])
    return [data]
