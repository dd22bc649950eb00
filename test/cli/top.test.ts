import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { needs } from '../../rig/needs.ts'
import { EXIT_USAGE } from '../../src/errors.ts'
import { FoldedLog } from '../../src/log/folded-log.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { ShipStatus } from '../../src/ship/status.ts'
import { Tap } from '../../src/ship/tap/tap.ts'
import { samplePair } from '../pair/samples.ts'
import { until } from '../support/agent-rig.ts'
import { ESCAPE, finish, run, startOnTerminal } from './support.ts'

const SHOP = fileURLToPath(new URL('../../../examples/shop.pcap.gz', import.meta.url))

test('top: prints the routes of a capture, errors among them', async () => {
  const { code, stdout, stderr } = await run(['top', SHOP])
  assert.equal(code, 0)
  const [heading, ...rows] = stdout.trimEnd().split('\n')
  assert.match(heading ?? '', /^ *REQS +REQ\/S +4XX +5XX +P50 +P95 +P99 +MAX +IN +OUT +ROUTE AND SERVER$/)
  assert.ok(
    rows.some((row) => / 0 +1 .* POST \/api\/payments shop\.test$/.test(row)),
    stdout,
  )
  assert.match(stdout, /GET \/products\/\{id\} catalog/)
  assert.ok(!stdout.includes(ESCAPE))
  assert.equal(stderr, '51 pairs shown\n')
})

test('top and openapi: end at the end of a capture that is not compressed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'plain-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const plain = join(folder, 'shop.pcap')
  writeFileSync(plain, gunzipSync(readFileSync(SHOP)))
  for (const command of ['top', 'openapi']) {
    const { code, stderr } = await run([command, plain])
    assert.equal(code, 0)
    assert.equal(stderr, '51 pairs shown\n')
  }
})

test('top -o json: counts every selected pair once, by the chosen field', async () => {
  for (const by of ['route', 'workload', 'status', 'client', 'host']) {
    const { stdout } = await run(['top', '--by', by, '-o', 'json', '-q', '--method', 'POST', SHOP])
    const { rows } = JSON.parse(stdout) as { rows: { requests: number }[] }
    assert.equal(
      rows.reduce((sum, { requests }) => sum + requests, 0),
      9,
    )
  }
})

test('top: names its sources when there is none, or more than one', async () => {
  for (const args of [['top'], ['top', '-i', 'lo', SHOP], ['top', '--brokers', 'a:1', SHOP]]) {
    const { code, stderr } = await run(args)
    assert.equal(code, EXIT_USAGE)
    assert.match(stderr, /source: name capture files, -i, --agent or --brokers/)
  }
})

test('openapi: describes one service of a capture', async () => {
  const { code, stdout } = await run(['openapi', '-q', '--host', 'orders', SHOP])
  assert.equal(code, 0)
  const { openapi, servers, paths } = JSON.parse(stdout) as { openapi: string; servers: unknown; paths: object }
  assert.equal(openapi, '3.1.0')
  assert.deepEqual(servers, [{ url: 'http://orders' }])
  assert.deepEqual(Object.keys(paths), ['/orders', '/orders/{id}', '/orders/{id}/events'])
})

test('top: on a terminal, keys change the table, also before a pair arrives; q ends it', {
  skip: needs('linux', 'script'),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'top-'))
  const path = join(folder, 'tap.sock')
  const log = new FoldedLog(() => {}, { periodMs: 1 })
  const tap = await Tap.open(path, new ShipStatus(ShipStatus.allocate()), log)
  t.after(() => {
    tap.close()
    rmSync(folder, { recursive: true })
  })
  const child = startOnTerminal(['top', '--agent', path])
  const ended = finish(child)
  let screen = ''
  child.stdout!.on('data', (chunk: Buffer) => {
    screen += chunk.toString()
  })
  /** Waits for a text that is drawn from now on. */
  const shows = async (text: string): Promise<void> => {
    await until(
      `${text} on the screen`,
      () => screen.includes(text),
      () => `: ${JSON.stringify(screen.slice(-500))}`,
    )
    screen = ''
  }
  await shows('by route · sorted by requests')
  child.stdin!.write('g')
  await shows('by workload')
  const pair = packPair(samplePair())
  tap.add(pair, 0, pair.length)
  tap.flush()
  await shows('10.0.0.9')
  child.stdin!.write('s')
  await shows('sorted by errors')
  child.stdin!.write('/none\r')
  await shows('filter: none')
  child.stdin!.write('p')
  await shows('filter: none · paused')
  child.stdin!.write('q')
  const { code, stdout } = await ended
  assert.equal(code, 0, stdout)
})
