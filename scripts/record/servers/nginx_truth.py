"""The expected list from nginx's access log (see nginx.conf): nginx_truth.py ACCESS_LOG

The body of a static answer is the file's own bytes; of other answers only the size is known, and only where nginx
sent a Content-Length. What nginx could not parse
may or may not be a message to others.
"""
import hashlib
import json
import os
import sys


def digest(path):
    data = open(path, 'rb').read()
    return {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}


for line in open(sys.argv[1], encoding='utf-8', errors='surrogateescape'):
    log = json.loads(line)
    if log['line'].endswith('HTTP/2.0'):
        continue
    if not log['method']:
        words = log['line'].split(' ')
        if len(words) > 1:
            print(json.dumps({'method': words[0], 'target': words[1], 'status': log['status'], 'expect': 'may', 'why': 'refused as malformed'}))
        continue
    entry = {'method': log['method'], 'target': log['line'].split(' ')[1], 'status': log['status']}
    path = log['file']
    if log['status'] in (400, 408, 413, 499):
        entry['expect'] = 'may'
        entry['why'] = {400: 'refused as malformed', 408: 'the client was too slow', 413: 'answered while the body was on its way',
                        499: 'the client went away'}[log['status']]
    elif log['method'] == 'HEAD' or log['status'] in (204, 304):
        entry['responseBody'] = {'size': 0}
    elif log['status'] == 200 and log['method'] == 'GET' and os.path.isdir(path):
        entry['responseBody'] = digest(os.path.join(path, 'index.html'))
    elif log['status'] == 200 and os.path.isfile(path) and log['encoding'] == 'gzip' and os.path.exists(path + '.gz'):
        entry['responseBody'] = digest(path + '.gz')
    elif log['status'] == 200 and os.path.isfile(path) and not log['encoding']:
        entry['responseBody'] = digest(path)
        if log['completion'] != 'OK':
            entry.update(expect='may', why='the client went away')
    elif log['length']:
        entry['responseBody'] = {'size': int(log['length'])}
    print(json.dumps(entry))
