"""The expected list from Apache's access log (see apache.conf): apache_truth.py ACCESS_LOG WWW"""
import hashlib
import json
import os
import sys

for line in open(sys.argv[1]):
    method, target, status, length, encoding, protocol, path, request = line.rstrip('\n').split('\t')
    if protocol == 'HTTP/2.0':
        # after its upgrade (logged as 101) a connection carries HTTP/2
        continue
    target = request.split(' ')[1]
    entry = {'method': method, 'target': target, 'status': int(status)}
    path = os.path.join(path, 'index.html') if os.path.isdir(path) else path
    if method == 'HEAD' or status in ('204', '304'):
        entry['responseBody'] = {'size': 0}
    elif status == '200' and method in ('GET', 'POST') and os.path.isfile(path) and encoding == '-':
        data = open(path, 'rb').read()
        entry['responseBody'] = {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}
    elif length != '-':
        entry['responseBody'] = {'size': int(length)}
    if status == '400':
        entry.update(expect='may', why='refused as malformed')
    print(json.dumps(entry))
