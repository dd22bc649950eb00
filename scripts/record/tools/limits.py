"""Marks what is over the default size limits: limits.py TRUTH. Recordings must not contain sizes within 4 KiB of a limit."""
import json
import sys

LIMIT = 1 << 20
lines = [json.loads(line) for line in open(sys.argv[1])]
with open(sys.argv[1], 'w') as out:
    for entry in lines:
        sizes = [entry.get(half, {}).get('size', 0) for half in ('requestBody', 'responseBody')]
        if max(sizes) > LIMIT:
            entry.update(expect='never', why='a message over limits.messageBytes')
        elif sum(sizes) > LIMIT:
            entry.update(expect='never', why='a pair over limits.pairBytes')
        out.write(json.dumps(entry) + '\n')
