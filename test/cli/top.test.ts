import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EXIT_USAGE } from '../../src/errors.ts'
import { ESCAPE, run } from './support.ts'

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
