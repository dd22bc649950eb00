import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PROGRAM } from '../../rig/root.ts'
import { EXIT_RUNTIME, EXIT_USAGE } from '../../src/errors.ts'
import { EXAMPLE } from '../support/golden.ts'
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
  test(`${command || 'interceptor'} --help: prints help and examples on standard output`, async () => {
    const { code, stdout, stderr } = await run([...words, '--help'])
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.match(stdout, new RegExp(`^Usage: interceptor ${command}`))
    assert.match(stdout, /\nExamples:\n {2}\S/)
  })
}

for (const words of [
  ['help', 'config', 'print'],
  ['config', 'help', 'print'],
]) {
  test(`${words.join(' ')}: prints the help of config print`, async () => {
    const { code, stdout } = await run(words)
    assert.equal(code, 0)
    assert.match(stdout, /^Usage: interceptor config print /)
  })
}

test('help: prints the help of the program, and of a command', async () => {
  assert.match((await run(['help'])).stdout, /^Usage: interceptor \[options\]/)
  assert.match((await run(['help', 'read'])).stdout, /^Usage: interceptor read /)
})

test('--version: prints the version of the package', async () => {
  const { code, stdout } = await run(['--version'])
  assert.deepEqual([code, stdout], [0, `${version}\n`])
})

const HINT = 'Run it with --help for usage.\n'
const wrong: [string[], string][] = [
  [['reed', 'x'], `interceptor: unknown command 'reed'\n(Did you mean read?)\n${HINT}`],
  [['read'], `interceptor: missing required argument 'file'\n${HINT}`],
  [['read', '--folow', 'x'], `interceptor: unknown option '--folow'\n(Did you mean --follow?)\n${HINT}`],
  [['help', 'prnt'], `interceptor: unknown command 'prnt'\n${HINT}`],
  [['tail', '--socket', 'x'], `interceptor: unknown option '--socket'\n${HINT}`],
  [['help', 'config', 'prnt'], `interceptor: unknown command 'prnt'\n(Did you mean print?)\n${HINT}`],
  [['config', 'prnt'], `interceptor: unknown command 'prnt'\n(Did you mean print?)\n${HINT}`],
  [
    ['read', '-c', '0', 'x'],
    `interceptor: option '-c, --count <n>' argument '0' is invalid. It must be a whole number, 1 or more.\n${HINT}`,
  ],
  [
    ['read', '-o', 'xml', 'x'],
    `interceptor: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are text, ndjson, json, tsv, har, curl, msgpack, none.\n${HINT}`,
  ],
  [
    ['read', '--body', 'some', 'x'],
    `interceptor: option '--body <rows>' argument 'some' is invalid. It must be all, none or a whole number, 0 or more.\n${HINT}`,
  ],
  [
    ['read', '--body', '3', '-o', 'json', '/dev/null'],
    'interceptor: --body limits bodies in text: use it with -o text\n',
  ],
  [['config', 'print', '--set', 'a'], 'interceptor: --set a: must be key=value, such as --set ship.maxAge=10m\n'],
  [
    ['config', 'print', '--set', 'ship.maxage=1m'],
    'interceptor: configuration: unknown key ship.maxage (--set): did you mean ship.maxAge?\n',
  ],
  [['read', '-', '-'], 'interceptor: standard input (-) can be read only once\n'],
  [
    ['read', '/dev/null', '--topic', 'x'],
    'interceptor: no Kafka broker is configured: name one with --brokers host:port or set kafka.brokers\n',
  ],
  [
    ['read', '/dev/null', '--workers', '0'],
    'interceptor: configuration: assemble.workers: 0 must be auto or a whole number from 1 to 64 (--workers)\n',
  ],
]

for (const [args, message] of wrong) {
  test(`usage: ${args.join(' ')} exits with 2 and the reason`, async () => {
    const { code, stdout, stderr } = await run(args)
    assert.deepEqual({ code, stdout, stderr }, { code: EXIT_USAGE, stdout: '', stderr: message })
  })
}

test('usage: exits with 2 and prints help on standard error without a command', async () => {
  const { code, stdout, stderr } = await run([])
  assert.deepEqual([code, stdout], [EXIT_USAGE, ''])
  assert.match(stderr, /^Usage: interceptor/)
})

test('usage: rejects printing and shipping at once with a hint', async () => {
  const { code, stderr } = await run(['read', '/dev/null', '-o', 'json', '--brokers', 'a:1'])
  assert.equal(code, EXIT_USAGE)
  assert.match(
    stderr,
    /can be printed \(-o, -w\) or shipped to Kafka \(--brokers, --topic\), not both\n.*interceptor tail/,
  )
})

test('usage: lists the interfaces for capture without one', async () => {
  const { code, stderr } = await run(['capture'])
  assert.equal(code, EXIT_USAGE)
  assert.match(
    stderr,
    /^interceptor: no interface to capture: name one with -i\nInterfaces of this host: .*lo.*; any captures all of them\.\n$/,
  )
})

test('usage: exits with 1 for a file that does not exist', async () => {
  const { code, stderr } = await run(['read', '/nowhere/x.pcap'])
  assert.deepEqual([code, stderr], [EXIT_RUNTIME, 'interceptor: cannot read /nowhere/x.pcap: no such file\n'])
})

test('usage: exits with 1 if standard output is full', { skip: process.platform !== 'linux' }, async () => {
  const ofFile = [
    ['read', EXAMPLE],
    ['openapi', EXAMPLE],
    ['top', EXAMPLE],
  ]
  for (const args of [['config', 'print'], ['config', 'schema'], ['--help'], ['--version'], ['doctor'], ...ofFile]) {
    const full = openSync('/dev/full', 'w')
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    assert.equal(status, EXIT_RUNTIME, args.join(' '))
    assert.match(String(stderr), /^interceptor: cannot write the output: no space left on device\n/)
  }
})

test('usage: exits with 1 for a directory', async () => {
  const { code, stderr } = await run(['read', '/tmp'])
  assert.deepEqual([code, stderr], [EXIT_RUNTIME, 'interceptor: cannot read /tmp: it is a directory\n'])
})

test('-v: prints the stack of an error', async () => {
  const { stderr } = await run(['read', '-v', '/nowhere/x.pcap'])
  assert.match(stderr, /\n {4}at /)
})

test('usage: an interface in place of the filter, or an empty one, is a missing -i', async () => {
  const swapped = await run(['capture', 'lo'])
  assert.equal(swapped.code, EXIT_USAGE)
  assert.match(
    swapped.stderr,
    /^interceptor: no interface to capture: did you mean -i lo\?\nInterfaces of this host: lo/,
  )
  const empty = await run(['capture', '-i', ''])
  assert.equal(empty.code, EXIT_USAGE)
  assert.match(empty.stderr, /^interceptor: no interface to capture: name one with -i\n/)
})

test('usage: an invalid value is reported once', async () => {
  const { code, stderr } = await run(['agent', '--set', 'admin.address=nope', '--set', 'ship.sink=none'])
  assert.equal(code, EXIT_USAGE)
  assert.equal(stderr.match(/admin\.address/g)?.length, 1, stderr)
})
