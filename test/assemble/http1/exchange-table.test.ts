import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpConnection } from '../../../src/assemble/http1/connection.ts'
import { ExchangeTable } from '../../../src/assemble/http1/exchange-table.ts'
import { AssembleHarness } from '../../support/assemble-harness.ts'
import { numbered, request } from '../../support/http-script.ts'
import { TcpScript } from '../../support/tcp-script.ts'

test('exchange table: an exchange keeps its index as a record; objects and indices are used again', () => {
  let capacity = 0
  const table = new ExchangeTable((grown) => {
    capacity = grown
  })
  const connection = new HttpConnection()
  const all = Array.from({ length: 1000 }, () => table.begin(connection))
  assert.deepEqual(
    all.map(({ index }) => index),
    [...all.keys()],
  )
  assert.ok(capacity >= 1000 && capacity < 2000)
  all[5].ackLast = 55
  all[5].request.chain.length = 7
  table.park(all[5], 123)
  assert.equal(table.at(5), null)
  assert.equal(table.flowIndex(5), 123)
  assert.equal(table.objects, 999)
  const other = table.begin(connection)
  assert.equal(other, all[5])
  assert.equal(other.index, 1000)
  const again = table.unpark(5, connection)
  assert.deepEqual([again.index, again.ackLast, again.request.chain.length], [5, 55, 7])
  assert.equal(table.at(5), again)
  table.end(again)
  assert.equal(table.begin(connection).index, 5)
})

test('exchange table: requests wait on more connections than there are objects, and are answered or time out', () => {
  const paths: string[] = []
  const harness = new AssembleHarness({
    onPair: (bytes) =>
      paths.push(
        Buffer.from(bytes)
          .toString('latin1')
          .match(/\/\d+ ?/)?.[0] ?? '',
      ),
    flows: 20_000,
    stateBytes: 8 * 1024 * 1024,
    responseTimeoutMicros: 60_000_000,
  })
  const script = new TcpScript().handshake()
  const asked = script.client(request('/0')).segments.splice(0)
  const answered = script.server(numbered(0)).segments.splice(0)
  const client = (port: number) => ({ client: { address: '10.0.0.1', port } })
  for (let port = 1; port <= 10_000; port++) harness.segments(asked, client(port))
  assert.equal(harness.count('requests.waiting'), 10_000)
  for (let port = 1; port <= 5000; port++) harness.segments(answered, client(port))
  assert.equal(paths.length, 5000)
  const late = script.micros + 61_000_000
  for (let step = 0; step <= 61; step++) harness.tick(script.micros + step * 1_000_000)
  harness.tick(late)
  assert.equal(harness.count('requests.abandoned.timeout'), 5000)
  assert.equal(harness.count('flows.closed.evicted'), 0)
  harness.finish()
})
