import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shellLines, simpleCommands } from '../../../scripts/documents/shell.ts'

const COMMANDS: readonly [string, string[][]][] = [
  ['jq -c .pairs ledger.json', [['jq', '-c', '.pairs', 'ledger.json']]],
  [
    "read a.pcap | jq -r '.request | .target'",
    [
      ['read', 'a.pcap'],
      ['jq', '-r', '.request | .target'],
    ],
  ],
  [
    'npm ci && npm start    # installs; prints',
    [
      ['npm', 'ci'],
      ['npm', 'start'],
    ],
  ],
  ['docker run -i x read - < shop.pcap > out 2>&1', [['docker', 'run', '-i', 'x', 'read', '-']]],
  [
    'CI=true A="b c" npm test; echo $?',
    [
      ['npm', 'test'],
      ['echo', '$?'],
    ],
  ],
  ['helm install x \\\n  --set "a={b,c}"', [['helm', 'install', 'x', '--set', 'a={b,c}']]],
  [
    'setcap cap_net_raw+ep "$(readlink -f "$(which node)")"',
    [['setcap', 'cap_net_raw+ep', '$(readlink -f "$(which node)")']],
  ],
  ['echo it\\ is "a \\"quote\\""', [['echo', 'it is', 'a "quote"']]],
  ['# only a comment', []],
]

for (const [line, commands] of COMMANDS) {
  test(`shell: splits ${JSON.stringify(line)}`, () => assert.deepEqual(simpleCommands(line), commands))
}

test('shell: reports an unterminated quote', () => {
  assert.throws(() => simpleCommands("echo 'a"), /' is missing: 'a/)
})

test('shell: finds the lines of a block, with their comments', () => {
  assert.deepEqual(shellLines(['# first', 'a \\', '  b  # exit code 3', '', 'c']), [
    { at: 1, text: 'a \\\n  b  # exit code 3', comment: 'exit code 3' },
    { at: 4, text: 'c', comment: '' },
  ])
})
