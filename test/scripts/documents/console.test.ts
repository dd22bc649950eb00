import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isShownAs, refreshSessions, sessionSteps } from '../../../scripts/documents/console.ts'

test('sessions: splits commands from their outputs', () => {
  assert.deepEqual(sessionSteps(['$ a \\', '  b', 'out', '', '$ c']), [
    { command: 'a \\\n  b', output: ['out', ''] },
    { command: 'c', output: [] },
  ])
  assert.throws(() => sessionSteps(['out']), /a session begins with a command/)
})

const OUTPUTS: readonly [string[], string[], boolean][] = [
  [['a', 'b'], ['a', 'b'], true],
  [['a', 'b'], ['a'], false],
  [['a', 'b', 'c', 'd'], ['a', '…', 'd'], true],
  [['a', 'd'], ['a', '…', 'd'], true],
  [['pid 4711, ok.'], ['pid …, ok.'], true],
  [['pid 4711, ok!'], ['pid …, ok.'], false],
  [['pid 4711', 'ok.'], ['pid …ok.'], false],
]

for (const [actual, shown, fits] of OUTPUTS) {
  test(`sessions: ${JSON.stringify(actual)} ${fits ? 'fits' : 'does not fit'} ${JSON.stringify(shown)}`, () => {
    assert.equal(isShownAs(actual, shown), fits)
  })
}

const fence = (...lines: string[]): string => ['text', '```console', ...lines, '```', 'more'].join('\n')

test('sessions: keeps outputs that fit, and replaces others', () => {
  const page = fence(
    '$ echo a; echo b',
    '…',
    'b',
    '$ echo c',
    'd',
    '$ (exit 3)',
    '$ echo $?',
    '$ echo x > file; cat file',
  )
  assert.equal(
    refreshSessions('page.md', page),
    fence(
      '$ echo a; echo b',
      '…',
      'b',
      '$ echo c',
      'c',
      '$ (exit 3)',
      '$ echo $?',
      '3',
      '$ echo x > file; cat file',
      'x',
    ),
  )
})

test('sessions: runs the program of this checkout, in a folder that looks like it', () => {
  const page = fence('$ npx interceptor read -q -c 1 -o json examples/shop.pcap.gz | jq .[0].request.method', '…"')
  assert.equal(refreshSessions('page.md', page), page)
})

test('sessions: does not change sessions that are not run', () => {
  const page = '<!-- not run: an example -->\n```console\n$ false\nnever\n```\n'
  assert.equal(refreshSessions('page.md', page), page)
})
