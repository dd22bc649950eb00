/** What the program says about itself holds nothing of anybody's traffic: no body, no header's value, no target. */
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

/** Shorter ones may be in any text by chance. */
const TELLING = 10

const texts = ({ headers, body }: Message): string[] => [
  ...headers.map(([, value]) => value),
  String(body).slice(0, 200),
]

test('log: at debug level it holds nothing of the traffic', async () => {
  const args = ['read', '--all', '-v', '-v', '--set', 'limits.pairBytes=64KiB', '--set', 'limits.messageBytes=64KiB']
  const { stdout } = await run([...args, '-q', '-o', 'ndjson', ...captures])
  const pairs = stdout
    .trimEnd()
    .split('\n')
    .map((line): Pair => JSON.parse(line))
  const values = pairs.flatMap(({ request, response }) => [request.target, ...texts(request), ...texts(response)])
  const telling = new Set(values.filter((value) => value.length >= TELLING))
  assert.ok(telling.size > 500, `only ${telling.size} values to look for`)
  const { stderr } = await run([...args, '-o', 'none', ...captures])
  assert.match(stderr, /pairs/)
  assert.deepEqual(
    [...telling].filter((value) => stderr.includes(value)),
    [],
  )
})
