/** State of preambles (PROXY protocol, SOCKS) in the program's memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssembleHarness } from '../support/assemble-harness.ts'
import { TcpScript } from '../support/tcp-script.ts'

const client = (port: number) => ({ client: { address: '10.0.0.5', port } })
const KIB = 1024

test('flow preambles: use at most a quarter of the pool; the connections that have been idle longest are evicted', () => {
  const poolBytes = 256 * KIB
  const harness = new AssembleHarness({ poolBytes })
  // A cell of 128 bytes each.
  const named = 400
  for (let port = 1; port <= named; port++) {
    const head = `PROXY TCP4 203.0.113.9 192.0.2.1 ${port} 80\r\n`
    harness.script(new TcpScript({ startMicros: 1_700_000_000_000_000 + port }).handshake().client(head), client(port))
  }
  assert.equal(harness.count('flows.open'), named)
  const heads = 2000
  for (let port = 10_000; port < 10_000 + heads; port++) {
    harness.script(new TcpScript().handshake().client('PROXY TCP4 203.0.113'), client(port))
    assert.ok(harness.assembler.heldBytes <= poolBytes / 2)
  }
  assert.ok(harness.count('flows.closed.evicted') > heads - poolBytes / 4 / 64)
  harness.finish()
})

test('flow preambles: a parser’s state is freed once the preamble is complete, invalid or lost', () => {
  const cases: readonly (readonly [string, string, string?])[] = [
    ['PROXY UNKNOWN', '\r\n'],
    ['PROXY TCP4', ' nonsense\r\n'],
    ['\x04', '\x02'],
    ['PROXY TCP4', '', 'lost'],
    ['\x05', '', 'lost'],
  ]
  for (const [head, rest, lost] of cases) {
    const harness = new AssembleHarness()
    const script = new TcpScript().handshake().client(head)
    harness.script(script)
    assert.ok(harness.assembler.heldBytes > 0, 'no state is kept')
    const from = script.segments.length
    if (lost !== undefined) {
      script.client(lost)
      for (let k = 0; k < 8; k++) script.wait(100_000).client('z').server('z')
    } else script.client(rest)
    harness.segments(script.segments.slice(from).filter(({ payload }) => Buffer.from(payload).toString() !== 'lost'))
    assert.equal(harness.assembler.heldBytes, 0, `${head}, then ${lost ?? rest}`)
    harness.finish()
  }
})
