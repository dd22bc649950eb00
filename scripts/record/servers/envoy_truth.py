"""The client's side of the expected list from Envoy's access log (see envoy.yaml): envoy_truth.py ACCESS_LOG"""
import json
import sys

for line in open(sys.argv[1]):
    log = json.loads(line)
    print(json.dumps({
        'method': log['method'], 'target': log['target'], 'status': int(log['status']),
        'requestBody': {'size': int(log['received'])}, 'responseBody': {'size': int(log['sent'])},
    }))
