/** What the state of a connection and of an exchange takes on V8's heap, by which their numbers are bounded. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { CONNECTION_BYTES, EXCHANGE_BYTES, stateBounds } from '../../../src/assemble/memory/state-bounds.ts'
import { AssembleHarness } from '../../support/assemble-harness.ts'
import { numbered, request } from '../../support/http-script.ts'
import { TcpScript } from '../../support/tcp-script.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const MIB = 1024 * 1024
/** Enough that what is there once does not count. */
const COUNT = 20_000

/** Heap and buffers that each of `count` connections with this conversation takes. */
function bytesEach(script: TcpScript, count: number): number {
  const harness = new AssembleHarness({ flows: count + 1, onPair: () => {}, poolBytes: 32 * MIB })
  const used = (): number => {
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  harness.script(script, { client: { address: '10.0.0.1', port: 1 } })
  const before = used()
  for (let port = 2; port <= count; port++) harness.script(script, { client: { address: '10.0.0.1', port } })
  const bytes = (used() - before) / count
  harness.finish()
  return bytes
}

test('state bounds: connections and exchanges take no more than they count', () => {
  const idle = bytesEach(new TcpScript().handshake().client(request('/0')).server(numbered(0)), COUNT)
  assert.ok(idle < CONNECTION_BYTES, `${idle} bytes for a connection`)
  assert.ok(idle > CONNECTION_BYTES / 2, `${idle} bytes for a connection: lower the constant`)
  const waiting = bytesEach(new TcpScript().handshake().client(request('/0').repeat(3)), COUNT)
  const each = (waiting - idle) / 3
  assert.ok(each < EXCHANGE_BYTES, `${each} bytes for an exchange`)
  assert.ok(each > EXCHANGE_BYTES / 2, `${each} bytes for an exchange: lower the constant`)
})

test('state bounds: memory for state is divided; what may be tracked anyway is the most', () => {
  const { connections, exchanges } = stateBounds(64 * MIB, 100_000)
  assert.ok(connections * CONNECTION_BYTES + exchanges * EXCHANGE_BYTES <= 64 * MIB)
  assert.equal(stateBounds(1024 * MIB, 1000).connections, 1000)
  assert.deepEqual(stateBounds(0, 1000), { connections: 16, exchanges: 16 })
})
