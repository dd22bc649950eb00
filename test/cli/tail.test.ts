import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFrom } from '../../src/cli/tail.ts'
import { EXIT_RUNTIME, EXIT_USAGE } from '../../src/errors.ts'
import { run } from './support.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')

const places: [string, string | number][] = [
  ['beginning', 'beginning'],
  ['end', 'end'],
  ['10m', NOW - 600_000],
  ['36h', NOW - 129_600_000],
  ['2026-11-23T11:00:00Z', NOW - 3_600_000],
  ['2026-11-23', NOW - 43_200_000],
  ['1795406400000', 1_795_406_400_000],
]

for (const [text, from] of places) {
  test(`parseFrom: parses ${text}`, () => {
    assert.equal(parseFrom(text, undefined, NOW), from)
  })
}

for (const text of ['', 'begin', '10', '10 minutes', '2026-13-45', 'yesterday']) {
  test(`parseFrom: rejects ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseFrom(text), /It must be beginning, end, a time or an age/)
  })
}

test('tail: exits with 2 without brokers', async () => {
  const { code, stderr } = await run(['tail', '--topic', 'x'])
  assert.equal(code, EXIT_USAGE)
  assert.match(stderr, /^interceptor: no Kafka broker is configured: name one with --brokers host:port/)
})

test('tail: rejects an offset together with a consumer group', async () => {
  const { code, stderr } = await run(['tail', '--brokers', '127.0.0.1:1', '--group', 'g', '--offset', '3'])
  assert.equal(code, EXIT_USAGE)
  assert.match(stderr, /^interceptor: --offset and --group exclude each other/)
})

test('tail: exits with 1 if no broker answers and suggests the doctor', async () => {
  const { code, stdout, stderr } = await run(['tail', '--brokers', '127.0.0.1:1', '--no-follow'])
  assert.deepEqual([code, stdout], [EXIT_RUNTIME, ''])
  assert.match(stderr, /cannot read the topic interceptor\.pairs at 127\.0\.0\.1:1: .*\n.*interceptor doctor/)
})

test('tail: exits with 1 if the output file cannot be created', async () => {
  const { code, stderr } = await run(['tail', '--brokers', '127.0.0.1:1', '-w', '/nowhere/pairs'])
  assert.equal(code, EXIT_RUNTIME)
  assert.match(stderr, /^interceptor: cannot write \/nowhere\/pairs: no such file or directory\n/)
})
