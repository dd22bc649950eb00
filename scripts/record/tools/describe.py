"""Adds or replaces one entry of test/fixtures/manifest.json, the provenance of every capture.

describe.py OUT NAME TEXT SOFTWARE...
"""
import json
import pathlib
import sys


def load(out):
    path = out / 'manifest.json'
    return json.loads(path.read_text()) if path.exists() else []


def add(out, name, text, software):
    entries = [entry for entry in load(out) if entry['name'] != name]
    entries.append({'name': name, 'what': text, 'software': software})
    entries.sort(key=lambda entry: entry['name'])
    (out / 'manifest.json').write_text(json.dumps(entries, indent=2) + '\n')


add(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
