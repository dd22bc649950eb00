"""Keeps test/fixtures/manifest.json, the provenance of every capture, and writes the table of its README from it.

describe.py OUT NAME TEXT SOFTWARE...   add or replace one entry
describe.py --readme OUT                write the table between the marks of OUT/README.md
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


def readme(out):
    path = out / 'README.md'
    if not path.exists():
        return
    rows = ['| capture | what is in it | software |', '|---|---|---|']
    for entry in load(out):
        rows.append(f"| `{entry['name']}` | {entry['what']} | {', '.join(entry['software'])} |")
    head, _, rest = path.read_text().partition('<!-- table -->\n')
    tail = rest.partition('<!-- end of table -->')[2]
    path.write_text(head + '<!-- table -->\n' + '\n'.join(rows) + '\n<!-- end of table -->' + tail)


if sys.argv[1] == '--readme':
    readme(pathlib.Path(sys.argv[2]))
else:
    add(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
