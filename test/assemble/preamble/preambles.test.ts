import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { count } from '../../../src/ledger/ledger.ts'
import { assemble } from '../../support/assemble-harness.ts'
import { cut, type Segment, TcpScript } from '../../support/tcp-script.ts'

const PROXY = 'PROXY TCP4 203.0.113.9 192.0.2.1 51234 80\r\n'
const ENDS = { source: { address: '203.0.113.9', port: 51234 }, destination: { address: '192.0.2.1', port: 80 } }
const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const RESPONSE = 'HTTP/1.1 204 No\r\n\r\n'
const SOCKS_CLIENT = ['\x05\x01\x00', '\x05\x01\x00\x01\x0a\x00\x00\x05\x00\x50'] as const
const SOCKS_SERVER = ['\x05\x00', '\x05\x00\x00\x01\x0a\x00\x00\x05\x1f\x90'] as const

/** The first segment with a payload, in pieces, and the segments before and after it. */
function inPieces(script: TcpScript, size: number): { before: Segment[]; pieces: Segment[]; after: Segment[] } {
  const { segments } = script
  const first = segments.findIndex(({ payload }) => payload.length > 0)
  const pieces = cut(segments[first], size)
  for (const [i, piece] of pieces.entries()) piece.micros += i
  return { before: segments.slice(0, first), pieces, after: segments.slice(first + 1) }
}

const proxied = (): TcpScript =>
  new TcpScript({ bareAcks: false }).handshake().client(`${PROXY}${REQUEST}`).server(RESPONSE).close()

describe('preambles', () => {
  test('reads a head whose segments are out of order or repeated', () => {
    const { before, pieces, after } = inPieces(proxied(), 9)
    for (const shuffled of [pieces.toReversed(), [...pieces, ...pieces], [...pieces.slice(3), ...pieces.slice(0, 5)]]) {
      const { pairs } = assemble([...before, ...shuffled, ...after])
      assert.deepEqual(
        pairs.map(({ capture }) => capture.proxyProtocol),
        [ENDS],
      )
    }
  })

  test('names no client after a gap inside a head, and reads the next request', () => {
    const script = new TcpScript({ bareAcks: false }).handshake().client(`${PROXY}${REQUEST}`).server(RESPONSE)
    script.client(REQUEST).server(RESPONSE).close()
    const { before, pieces, after } = inPieces(script, 9)
    const { pairs } = assemble([...before, ...pieces.filter((_, i) => i !== 2), ...after])
    assert.deepEqual(
      pairs.map(({ capture }) => capture.proxyProtocol),
      [undefined],
    )
  })

  test('a message that follows withheld bytes begins with them', () => {
    const script = new TcpScript({ bareAcks: false }).handshake()
    script.client('POST / HTTP/1.1\r\n\r\n').server(RESPONSE).close()
    const whole = assemble(script.segments).pairs
    const { before, pieces, after } = inPieces(script, 1)
    const [pair] = assemble([...before, ...pieces, ...after]).pairs
    assert.equal(pair?.id, whole[0]?.id)
    assert.equal(pair?.requestStartMicros, pieces[0]?.micros)
    assert.equal(pair?.requestEndMicros, pieces.at(-1)?.micros)
  })

  test('midstream, uses a head if it is complete, and does not wait for its first bytes', () => {
    const run = (first: string, rest: string) =>
      assemble(new TcpScript().midstream().client(first).client(rest).server(RESPONSE).close().segments)
    assert.deepEqual(run(`${PROXY}${REQUEST}`, '').pairs[0]?.capture.proxyProtocol, ENDS)
    assert.deepEqual(run('P', `OST / HTTP/1.1\r\n\r\n${REQUEST}`).pairs, [])
    const { pairs } = run(PROXY.slice(0, 8), REQUEST)
    assert.deepEqual(
      pairs.map(({ capture }) => capture.proxyProtocol),
      [undefined],
    )
  })

  test('a later connection with the same addresses does not inherit the client', () => {
    const first = proxied()
    const second = new TcpScript({ clientIsn: 900_000, serverIsn: 800_000, startMicros: first.micros + 1_000_000 })
    second.handshake().client(REQUEST).server(RESPONSE).close()
    const { pairs } = assemble([...first.segments, ...second.segments])
    assert.deepEqual(
      pairs.map(({ capture, flags }) => [capture.proxyProtocol, flags]),
      [
        [ENDS, []],
        [undefined, []],
      ],
    )
  })

  test('an endless head holds no memory and is not a request', () => {
    const { pairs, ledger } = assemble(new TcpScript().handshake().client('PROXY TCP4 203').close().segments)
    assert.deepEqual(pairs, [])
    assert.equal(count(ledger, 'messages.requests'), 0)
  })

  test('reads a SOCKS handshake whose client is captured before the server', () => {
    const script = new TcpScript({ bareAcks: false }).handshake()
    for (const i of [0, 1] as const) script.client(SOCKS_CLIENT[i]).server(SOCKS_SERVER[i])
    script.client(REQUEST).server(RESPONSE).close()
    const { segments } = script
    const [greeting, choice, request] = segments.slice(3, 6)
    const swapped = [...segments.slice(0, 3), greeting, request, choice, ...segments.slice(6)] as Segment[]
    assert.deepEqual(
      assemble(swapped).pairs.map(({ flags }) => flags),
      [['tunnel']],
    )
  })

  test('inside CONNECT, pairs after a loss are correct or missing', () => {
    const script = new TcpScript({ bareAcks: false }).handshake()
    script.client('CONNECT a:80 HTTP/1.1\r\n\r\n').server('HTTP/1.1 200 OK\r\n\r\n')
    for (let i = 0; i < 4; i++) {
      script.client(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`)
      script.server(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${i}`)
    }
    script.close()
    for (let lost = 3; lost < script.segments.length - 3; lost++) {
      const { pairs } = assemble(script.segments.filter((_, i) => i !== lost))
      for (const { request, response } of pairs.filter(({ request }) => request.method === 'GET')) {
        assert.equal(request.target, `/${Buffer.from(response.body).toString()}`, `segment ${lost} lost`)
      }
      assert.ok(pairs.length >= 2, `segment ${lost} lost: ${pairs.length} pairs`)
    }
  })
})
