/** The log contains no captured data: no body, no header value, no target. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Message, Pair } from '../../src/pair/pair.ts'
import { CAPTURE, run } from './support.ts'

const folder = join(CAPTURE, '..')
const captures = readdirSync(folder)
  .filter((name) => name.endsWith('.pcap.gz'))
  .map((name) => join(folder, name))

/** Shorter values may occur in a text by chance. */
const DISTINCT_LENGTH = 10

const texts = ({ headers, body }: Message): string[] => [
  ...headers.map(([, value]) => value),
  String(body).slice(0, 200),
]

test('log: contains no captured data at debug level', async () => {
  const args = ['read', '--all', '-v', '-v', '--set', 'limits.pairBytes=64KiB', '--set', 'limits.messageBytes=64KiB']
  const { stdout } = await run([...args, '-q', '-o', 'ndjson', ...captures])
  const pairs = stdout
    .trimEnd()
    .split('\n')
    .map((line): Pair => JSON.parse(line))
  const values = pairs.flatMap(({ request, response }) => [request.target, ...texts(request), ...texts(response)])
  const distinct = new Set(values.filter((value) => value.length >= DISTINCT_LENGTH))
  assert.ok(distinct.size > 500, `only ${distinct.size} values to look for`)
  const { stderr } = await run([...args, '-o', 'none', ...captures])
  assert.match(stderr, /pairs/)
  assert.deepEqual(
    [...distinct].filter((value) => stderr.includes(value)),
    [],
  )
})
