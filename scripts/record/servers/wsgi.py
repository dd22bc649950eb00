"""A WSGI application for recording. Appends each finished exchange to $TRUTH."""
import hashlib
import json
import os


def body(data):
    return {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}


def application(environ, start_response):
    received = environ['wsgi.input'].read()
    path, query, method = environ['PATH_INFO'], environ['QUERY_STRING'], environ['REQUEST_METHOD']
    target = environ['RAW_URI']
    headers = [('Content-Type', 'application/json')]
    status = 200
    parts = [json.dumps({'target': target, 'query': query, 'received': body(received)['sha256']}).encode()]
    if path == '/stream':
        parts = [b'{"rows":['] + [b'%s{"row":%d}' % (b',' if i else b'', i) for i in range(9)] + [b']}']
    elif path == '/moved':
        status, parts = 302, [b'']
        headers = [('Location', '/echo?n=after-moved'), ('Content-Length', '0')]
    elif path == '/gone':
        status, parts = 204, []
        headers = []
    if path not in ('/stream', '/moved', '/gone'):
        headers.append(('Content-Length', str(len(parts[0]))))
    sent = b'' if method == 'HEAD' else b''.join(parts)
    with open(os.environ['TRUTH'], 'a') as truth:
        truth.write(json.dumps({'method': method, 'target': target, 'status': status, 'requestBody': body(received), 'responseBody': body(sent)}) + '\n')
    start_response(f'{status} {"OK" if status == 200 else "Other"}', headers)
    return parts if method != 'HEAD' else []
