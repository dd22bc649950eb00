import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { run } from './support.ts'

const version = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version

for (const words of [
  [],
  ['read'],
  ['capture'],
  ['tail'],
  ['pods'],
  ['doctor'],
  ['config'],
  ['config', 'print'],
  ['config', 'schema'],
]) {
  const command = words.join(' ')
  test(`${command || 'interceptor'} --help: on standard output, with examples`, async () => {
    const { code, stdout, stderr } = await run([...words, '--help'])
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.match(stdout, new RegExp(`^Usage: interceptor ${command}`))
    assert.match(stdout, /\nExamples:\n {2}\S/)
  })
}

test('--version: the package’s', async () => {
  const { code, stdout } = await run(['--version'])
  assert.deepEqual([code, stdout], [0, `${version}\n`])
})

const HINT = 'Run it with --help to see what it takes.\n'
const wrong: [string[], string][] = [
  [['reed', 'x'], `interceptor: unknown command 'reed'\n(Did you mean read?)\n${HINT}`],
  [['read'], `interceptor: missing required argument 'file'\n${HINT}`],
  [['read', '--folow', 'x'], `interceptor: unknown option '--folow'\n(Did you mean --follow?)\n${HINT}`],
  [['config', 'prnt'], `interceptor: unknown command 'prnt'\n(Did you mean print?)\n${HINT}`],
  [
    ['read', '-c', '0', 'x'],
    `interceptor: option '-c, --count <n>' argument '0' is invalid. It must be a whole number, 1 or more.\n${HINT}`,
  ],
  [
    ['read', '-o', 'xml', 'x'],
    `interceptor: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are text, ndjson, json, har, msgpack, none.\n${HINT}`,
  ],
  [['config', 'print', '--set', 'a'], 'interceptor: --set a: write key=value, such as --set ship.maxAge=10m\n'],
  [
    ['config', 'print', '--set', 'ship.maxage=1m'],
    'interceptor: configuration: unknown key ship.maxage (--set): did you mean ship.maxAge?\n',
  ],
  [['read', '-', '-'], 'interceptor: standard input (-) can be read only once\n'],
  [
    ['read', '/dev/null', '--topic', 'x'],
    'interceptor: no Kafka broker to go to: name one with --brokers host:port (kafka.brokers in the configuration)\n',
  ],
  [
    ['read', '/dev/null', '--workers', '0'],
    'interceptor: configuration: assemble.workers: 0 must be auto or a whole number from 1 to 64 (--workers)\n',
  ],
]

for (const [args, message] of wrong) {
  test(`usage: ${args.join(' ')} ends with 2 and says why`, async () => {
    const { code, stdout, stderr } = await run(args)
    assert.deepEqual({ code, stdout, stderr }, { code: 2, stdout: '', stderr: message })
  })
}

test('usage: no command ends with 2 and shows the help on standard error', async () => {
  const { code, stdout, stderr } = await run([])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /^Usage: interceptor/)
})

test('usage: printing and shipping at once is refused with a hint', async () => {
  const { code, stderr } = await run(['read', '/dev/null', '-o', 'json', '--brokers', 'a:1'])
  assert.equal(code, 2)
  assert.match(
    stderr,
    /either printed \(-o, -w\) or shipped to Kafka \(--brokers, --topic\), not both\n.*interceptor tail/,
  )
})

test('usage: capture without an interface names those that are here', async () => {
  const { code, stderr } = await run(['capture'])
  assert.equal(code, 2)
  assert.match(stderr, /^interceptor: no interface to capture: name one with -i\nHere are .*any, for all of them\.\n$/)
})

test('usage: a file that is not there ends with 1', async () => {
  const { code, stderr } = await run(['read', '/nowhere/x.pcap'])
  assert.deepEqual([code, stderr], [1, 'interceptor: cannot read /nowhere/x.pcap: no such file\n'])
})

test('usage: a folder is no capture file', async () => {
  const { code, stderr } = await run(['read', '/tmp'])
  assert.deepEqual([code, stderr], [1, 'interceptor: cannot read /tmp: it is a folder, not a capture file\n'])
})

test('-v: the stack of an error', async () => {
  const { stderr } = await run(['read', '-v', '/nowhere/x.pcap'])
  assert.match(stderr, /\n {4}at /)
})
