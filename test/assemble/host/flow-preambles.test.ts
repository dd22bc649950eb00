import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssembleHarness } from '../../support/assemble-harness.ts'
import { encodeFrames, type Frame, SERVER } from '../../support/tcp-frames.ts'
import { cut, TcpScript } from '../../support/tcp-script.ts'

const CONNECTIONS = 40
const REQUEST = 'GET / HTTP/1.1\r\n\r\n'
const RESPONSE = 'HTTP/1.1 204 No\r\n\r\n'

/** Frames of a connection from a port; the client's bytes are in small segments. */
function frames(port: number, head: string): Frame[] {
  const script = new TcpScript({ bareAcks: false }).handshake().client(`${head}${REQUEST}`).server(RESPONSE).close()
  const small = script.segments.flatMap((segment) => (segment.payload.length > 0 ? cut(segment, 7) : [segment]))
  return encodeFrames(small, { client: { address: '10.0.0.5', port }, server: SERVER })
}

const proxyHead = (port: number): string => `PROXY TCP4 203.0.113.9 192.0.2.1 ${port} 80\r\n`

/** Interleaves the connections' frames one by one. */
function interleaved(connections: readonly Frame[][]): Frame[] {
  const longest = Math.max(...connections.map(({ length }) => length))
  return Array.from({ length: longest }, (_, i) => connections.flatMap((each) => each.slice(i, i + 1))).flat()
}

test('flow preambles: keeps interleaved partial heads of several connections apart', () => {
  const ports = Array.from({ length: CONNECTIONS }, (_, i) => 20_000 + i)
  const connections = ports.map((port) => frames(port, port % 3 === 0 ? '' : proxyHead(port)))
  const { pairs } = new AssembleHarness().frames(interleaved(connections)).finish()
  assert.deepEqual(
    pairs.map(({ client, capture }) => [client.port, capture.proxyProtocol?.source.port]).sort(),
    ports.map((port) => [port, port % 3 === 0 ? undefined : port]),
  )
})

test('flow preambles: a connection does not inherit endpoints from the connection whose record it reuses', () => {
  const harness = new AssembleHarness({ flows: 1 })
  for (const port of [20_000, 20_001, 20_002]) {
    // The second connection ends within its preamble.
    const all = frames(port, port === 20_002 ? '' : proxyHead(port))
    harness.frames(port === 20_001 ? all.slice(0, 5) : all)
  }
  const { pairs } = harness.finish()
  assert.deepEqual(
    pairs.map(({ client, capture }) => [client.port, capture.proxyProtocol?.source.port]),
    [
      [20_000, 20_000],
      [20_002, undefined],
    ],
  )
})
