/** Messages over the limit are parsed to their end without being held, and the connection stays in sync. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MAX_FIELDS } from '../../../src/assemble/core/head/layout.ts'
import { count } from '../../../src/ledger/ledger.ts'
import { AssembleHarness, assemble, summary } from '../../support/assemble-harness.ts'
import { numbered, request, response, wrongPairs } from '../../support/http-script.ts'
import { TcpScript } from '../../support/tcp-script.ts'

const GIB = 1024 ** 3
const PIECE = Buffer.alloc(64_000, 'x')

/** Feeds `bytes` of body from the server, segment by segment. @returns the most memory held at any time */
function stream(
  harness: AssembleHarness,
  script: TcpScript,
  bytes: number,
  frame: (piece: Uint8Array) => Uint8Array,
): number {
  let most = 0
  for (let left = bytes; left > 0; left -= PIECE.length) {
    script.server(frame(PIECE.subarray(0, Math.min(left, PIECE.length))))
    harness.segments(script.segments.splice(0))
    most = Math.max(most, harness.assembler.heldBytes)
  }
  return most
}

const asIs = (piece: Uint8Array): Uint8Array => piece
const asChunk = (piece: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])

/** One large segment each, without the client's acknowledgements, which add nothing here. */
const script = (): TcpScript => new TcpScript({ segmentBytes: 65_000, bareAcks: false }).handshake()

describe('oversize: a body of 1 GB', () => {
  test('with a known length uses no memory, and the next pair is correct', () => {
    const harness = new AssembleHarness()
    const tcp = script().client(request('/large'))
    tcp.server(`HTTP/1.1 200 OK\r\nContent-Length: ${GIB}\r\n\r\n`)
    assert.equal(stream(harness, tcp, GIB, asIs), 0)
    const { pairs, ledger } = harness.script(tcp.client(request('/next')).server(response('next')).close()).finish()
    assert.deepEqual(summary(pairs), ['GET /next 200'])
    assert.equal(count(ledger, 'requests.abandoned.oversize'), 1)
    assert.equal(count(ledger, 'responses.orphaned.oversize'), 1)
    assert.ok(count(ledger, 'bytes.http') > GIB)
  })

  test('in chunks uses memory up to the limit and then none, and the next pair is correct', () => {
    const harness = new AssembleHarness()
    const tcp = script().client(request('/large')).server('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    const most = stream(harness, tcp, GIB / 4, asChunk)
    assert.ok(most < 1.2 * 1024 ** 2, `${most} bytes`)
    assert.equal(harness.assembler.heldBytes, 0)
    tcp.server('0\r\n\r\n').client(request('/next')).server(response('next')).close()
    assert.deepEqual(summary(harness.script(tcp).finish().pairs), ['GET /next 200'])
    assert.equal(harness.count('requests.abandoned.oversize'), 1)
  })

  test('up to the end of the connection uses memory up to the limit and then none', () => {
    const harness = new AssembleHarness()
    const tcp = script().client(request('/large')).server('HTTP/1.1 200 OK\r\n\r\n')
    const most = stream(harness, tcp, GIB / 4, asIs)
    assert.ok(most < 1.2 * 1024 ** 2, `${most} bytes`)
    assert.equal(harness.assembler.heldBytes, 0)
    assert.deepEqual(harness.script(tcp.close()).finish().pairs, [])
    assert.equal(harness.count('requests.abandoned.oversize'), 1)
  })

  test('of a request uses no memory, and the next pair is correct', () => {
    const harness = new AssembleHarness()
    const tcp = script().client(`PUT /large HTTP/1.1\r\nContent-Length: ${GIB / 4}\r\n\r\n`)
    for (let left = GIB / 4; left > 0; left -= PIECE.length) {
      tcp.client(PIECE.subarray(0, Math.min(left, PIECE.length)))
      harness.segments(tcp.segments.splice(0))
      assert.equal(harness.assembler.heldBytes, 0)
    }
    tcp.server(response('done')).client(request('/next')).server(response('next')).close()
    assert.deepEqual(summary(harness.script(tcp).finish().pairs), ['GET /next 200'])
    assert.equal(harness.count('requests.abandoned.oversize'), 1)
  })

  test('of a filtered message uses no memory', () => {
    const harness = new AssembleHarness({ everything: false, messageBytes: GIB / 16, pairBytes: GIB / 16 })
    const tcp = script().client(request('/'))
    tcp.server(`HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: ${GIB / 32}\r\n\r\n`)
    assert.equal(stream(harness, tcp, GIB / 32, asIs), 0)
    harness.script(tcp.close()).finish()
    assert.equal(harness.count('pairs.filtered.contentType'), 1)
  })
})

describe('oversize: messages whose sequence numbers begin anew', () => {
  const MIB = 1024 ** 2

  /** Sends a body of which one byte in 3 MiB is captured. The receiver acknowledges all of it. */
  function sendThin(script: TcpScript, side: 'client' | 'server', head: string, bytes: number): void {
    const other = side === 'client' ? 'server' : 'client'
    script.send(side, head)
    for (let left = bytes; left > 0; left -= 3 * MIB) {
      script.skip(side, Math.min(left, 3 * MIB) - 1).send(side, 'x')
      for (let acks = 0; acks < 5; acks++) script.wait(500).ack(other)
    }
  }

  function exchange(script: TcpScript, n: number): void {
    script.client(request(`/${n}`)).server(numbered(n))
  }

  for (const sizes of [[2.5], [3.5], [3, 1.5, 1.5], [4.5]]) {
    test(`pairs that follow requests of ${sizes.join(' and ')} GiB are right`, () => {
      const script = new TcpScript().handshake()
      for (const size of sizes) {
        const length = size * GIB
        sendThin(script, 'client', `PUT /large HTTP/1.1\r\nContent-Length: ${length}\r\n\r\n`, length)
        script.server(numbered(-1))
      }
      for (let n = 0; n < 4; n++) exchange(script, n)
      const { pairs, ledger } = assemble(script.close())
      assert.deepEqual(wrongPairs(pairs), [])
      assert.deepEqual(summary(pairs), ['GET /0 200', 'GET /1 200', 'GET /2 200', 'GET /3 200'])
      assert.equal(count(ledger, 'requests.abandoned.oversize'), sizes.length)
      assert.equal(count(ledger, 'responses.orphaned.oversize'), sizes.length)
      assert.ok(count(ledger, 'bytes.http') > sizes.reduce((sum, size) => sum + size * GIB, 0))
    })
  }

  test('a gap of nearly 2 GiB is counted like several, and the next pairs are right', () => {
    const gap = 2 * GIB - 100
    for (const size of [2 * GIB, 4.5 * GIB]) {
      const script = new TcpScript().handshake()
      script.client(`PUT /large HTTP/1.1\r\nX: ${'x'.repeat(200)}\r\nContent-Length: ${size}\r\n\r\n`)
      for (let left = size; left > 0; left -= gap) {
        script.skip('client', Math.min(left, gap) - 1).client('x')
        for (let acks = 0; acks < 5; acks++) script.wait(500).ack('server')
      }
      script.server(numbered(-1))
      for (let n = 0; n < 4; n++) exchange(script, n)
      const { pairs, ledger } = assemble(script.close())
      assert.deepEqual(summary(pairs), ['GET /0 200', 'GET /1 200', 'GET /2 200', 'GET /3 200'])
      assert.ok(count(ledger, 'bytes.http') > size, `${count(ledger, 'bytes.http')} bytes`)
    }
  })

  test('pairs that follow responses of 2.5 and 4.5 GiB are right', () => {
    const script = new TcpScript().handshake()
    for (const size of [2.5, 4.5]) {
      script.client(request('/large'))
      sendThin(script, 'server', `HTTP/1.1 200 OK\r\nContent-Length: ${size * GIB}\r\n\r\n`, size * GIB)
    }
    for (let n = 0; n < 4; n++) exchange(script, n)
    const { pairs, ledger } = assemble(script.close())
    assert.deepEqual(wrongPairs(pairs), [])
    assert.equal(pairs.length, 4)
    assert.ok(count(ledger, 'bytes.http') > 7 * GIB)
  })
})

test('oversize: a gap of 1 GiB that begins in a short body does not count as HTTP', () => {
  const [question, head] = [request('/'), 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n']
  const tcp = new TcpScript().handshake().client(question).server(head).skip('server', GIB).server('x')
  const { pairs, ledger } = assemble(tcp)
  assert.deepEqual(pairs, [])
  assert.equal(count(ledger, 'bytes.gap'), GIB)
  assert.equal(count(ledger, 'bytes.http'), question.length + head.length)
})

describe('oversize: heads', () => {
  test('a head over the limit ends the pairing epoch: it is not an exchange, and parsing resumes after it', () => {
    const long = `GET / HTTP/1.1\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`
    const tcp = new TcpScript()
      .handshake()
      .client(long)
      .server(response('a'))
      .client(request('/next'))
      .server(response('b'))
    const { pairs, ledger } = assemble(tcp.close(), { messageBytes: 65_536 })
    assert.deepEqual(summary(pairs), ['GET /next 200'])
    assert.equal(count(ledger, 'responses.orphaned'), 1)
  })

  test('a head of more lines than the limit does so too, complete or truncated', () => {
    const lines = (count: number): string => `GET /long HTTP/1.1\r\n${'a:\n'.repeat(count)}\r\n`
    for (const [fields, expected] of [
      [MAX_FIELDS, ['GET /long 200', 'GET /next 200']],
      [MAX_FIELDS + 1, ['GET /next 200']],
    ] as const) {
      const tcp = new TcpScript({ segmentBytes: 60_000 }).handshake().client(lines(fields)).server(response('a'))
      tcp.client(request('/next')).server(response('b')).close()
      // Each of these short lines needs more room in a pair than on the wire.
      const { pairs, ledger } = assemble(tcp, { messageBytes: 2 ** 20, pairBytes: 2 ** 20 })
      assert.deepEqual(summary(pairs), expected)
      assert.equal(count(ledger, 'responses.orphaned.oversize'), 2 - expected.length)
    }
  })

  test('a head that never ends is not held', () => {
    const harness = new AssembleHarness()
    const tcp = script().client('GET / HTTP/1.1\r\n')
    for (let i = 0; i < 2000; i++) {
      tcp.client(Buffer.concat([Buffer.from('X: '), PIECE, Buffer.from('\r\n')]))
      harness.segments(tcp.segments.splice(0))
      assert.ok(harness.assembler.heldBytes < 1.2 * 1024 ** 2)
    }
    assert.deepEqual(harness.finish().pairs, [])
  })

  test('endless trailers and chunk extensions are abandoned', () => {
    for (const endless of ['0\r\n', '5;']) {
      const tcp = script()
        .client(request('/'))
        .server('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
        .server(endless)
      for (let i = 0; i < 4; i++) tcp.server(`X: ${'x'.repeat(60_000)}`)
      const { ledger } = assemble(tcp.close())
      assert.equal(count(ledger, 'requests.abandoned.doubtful'), 1)
    }
  })
})

describe('oversize: bounds of the pool', () => {
  test('thousands of waiting requests stay within the pool, and further ones are evicted', () => {
    const harness = new AssembleHarness({ poolBytes: 1024 * 1024, flows: 5000 })
    for (let port = 1; port <= 2000; port++) {
      const tcp = new TcpScript().handshake().client(request(`/${port}`, { body: 'x'.repeat(1000) }))
      harness.script(tcp, { client: { address: '10.0.0.1', port } })
      assert.ok(harness.assembler.heldBytes <= 1024 * 1024)
    }
    assert.ok(harness.count('requests.abandoned.evicted') > 0)
    harness.finish()
  })

  test('a connection with thousands of unanswered requests is bounded too', () => {
    const tcp = new TcpScript().handshake()
    for (let i = 0; i < 5000; i++) tcp.client(request(`/${i}`))
    const { ledger } = assemble(tcp)
    assert.equal(count(ledger, 'messages.requests'), 5000)
    assert.ok(count(ledger, 'requests.abandoned.evicted') >= 4096)
  })
})
