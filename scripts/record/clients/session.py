"""requests: session.py BASE makes a round of requests over kept-alive connections."""
import sys

import requests

base = sys.argv[1]
with requests.Session() as session:
    session.trust_env = False
    for n in range(4):
        session.post(f'{base}/echo?n={n}', json={'n': n, 'text': 'žluť'})
        session.post(f'{base}/echo?form={n}', data={'n': n, 'q': 'a b&c'})
        session.get(f'{base}/stream?n={n}')
    session.post(f'{base}/echo?n=files', files={'file': ('a.txt', b'x' * 5000), 'other': ('b.json', b'{}', 'application/json')})
    session.put(f'{base}/echo?n=generator', data=(part for part in [b'one ', b'two ', b'three']))
    session.head(f'{base}/echo?n=head')
    session.get(f'{base}/moved')
    session.delete(f'{base}/gone')
    session.patch(f'{base}/echo?n=%C5%BE%2Fslash', data='žluť'.encode(), headers={'content-type': 'text/plain; charset=utf-8'})
    session.get(f'{base}/echo?n=closing', headers={'Connection': 'close'})
    session.get(f'{base}/echo?n=reopened')
