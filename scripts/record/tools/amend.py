"""Adds to some exchanges what the server could not know: amend.py TRUTH PATTERN=must|may|never:WHY...

PATTERN is a regular expression over the target. A case amends where the wire holds more or less than the server saw, for
instance an answer that left the server but not the network.
"""
import json
import re
import sys

rules = [(re.compile(rule.partition('=')[0]), *rule.partition('=')[2].split(':', 1)) for rule in sys.argv[2:]]
lines = [json.loads(line) for line in open(sys.argv[1])]
with open(sys.argv[1], 'w') as out:
    for entry in lines:
        for pattern, expect, why in rules:
            if pattern.search(entry['target']):
                entry.update(expect=expect, why=why)
        out.write(json.dumps(entry) + '\n')
