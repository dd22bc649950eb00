"""http.client: stdlib.py HOST PORT makes a round of requests over one connection object (anew when the server closes)."""
import http.client
import json
import sys

connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10)
for n in range(12):
    method, path = [('GET', '/echo'), ('POST', '/echo'), ('HEAD', '/echo'), ('PUT', '/echo'), ('GET', '/unsized'), ('GET', '/missing')][n % 6]
    payload = json.dumps({'n': n}) if method in ('POST', 'PUT') else None
    connection.request(method, f'{path}?n={n}', body=payload, headers={'Content-Type': 'application/json'} if payload else {})
    connection.getresponse().read()
connection.close()
