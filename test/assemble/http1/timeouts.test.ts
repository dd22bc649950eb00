/** Waiting for responses, in packet time (docs/limits.md). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { count } from '../../../src/ledger/ledger.ts'
import { AssembleHarness, assemble, summary } from '../../support/assemble-harness.ts'
import { numbered, request, response, wrongPairs } from '../../support/http-script.ts'
import { encodeFrames } from '../../support/tcp-frames.ts'
import { START_MICROS, TcpScript } from '../../support/tcp-script.ts'

const SECOND = 1_000_000

const answeredAfter = (micros: number): TcpScript =>
  new TcpScript({ bareAcks: false })
    .handshake()
    .client(request('/'))
    .wait(micros - 100)
    .server(response('late'))
    .close()

test('timeouts: a response after exactly 60 s is paired; a microsecond later it is not', () => {
  assert.equal(assemble(answeredAfter(60 * SECOND)).pairs.length, 1)
  const { pairs, ledger } = assemble(answeredAfter(60 * SECOND + 1))
  assert.equal(pairs.length, 0)
  assert.equal(count(ledger, 'requests.abandoned.timeout'), 1)
  assert.equal(count(ledger, 'responses.orphaned.timeout'), 1)
})

test('timeouts: counted from the last byte of the request', () => {
  const tcp = new TcpScript()
    .handshake()
    .client('POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na')
    .wait(50 * SECOND)
  assert.equal(
    assemble(
      tcp
        .client('b')
        .wait(50 * SECOND)
        .server(response())
        .close(),
    ).pairs.length,
    1,
  )
})

test('timeouts: a response that begins in time may take longer', () => {
  const tcp = new TcpScript().handshake().client(request('/')).server('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na')
  assert.equal(
    assemble(
      tcp
        .wait(120 * SECOND)
        .server('b')
        .close(),
    ).pairs.length,
    1,
  )
})

test('timeouts: interim responses do not prolong the wait', () => {
  const tcp = new TcpScript()
    .handshake()
    .client(request('/'))
    .wait(40 * SECOND)
    .server('HTTP/1.1 102 Processing\r\n\r\n')
  const { ledger } = assemble(
    tcp
      .wait(40 * SECOND)
      .server(response())
      .close(),
  )
  assert.equal(count(ledger, 'requests.abandoned.timeout'), 1)
})

test('timeouts: a late response is not paired with the next request', () => {
  const tcp = new TcpScript()
    .handshake()
    .client(request('/0'))
    .wait(61 * SECOND)
    .client(request('/1'))
  tcp.server(numbered(0)).server(numbered(1)).close()
  const { pairs, ledger } = assemble(tcp)
  assert.deepEqual(wrongPairs(pairs), [])
  assert.deepEqual(summary(pairs), ['GET /1 200'])
  assert.equal(count(ledger, 'requests.abandoned.timeout'), 1)
  assert.equal(count(ledger, 'responses.orphaned.timeout'), 1)
})

test('timeouts: a request is abandoned, and its memory freed, while other connections continue', () => {
  const harness = new AssembleHarness()
  harness.script(new TcpScript().handshake().client(request('/', { body: 'x'.repeat(10_000) })))
  assert.ok(harness.assembler.heldBytes > 0)
  for (let second = 1; second <= 61; second++) harness.tick(START_MICROS + second * SECOND)
  assert.equal(harness.count('requests.abandoned.timeout'), 1)
  assert.equal(harness.count('requests.waiting'), 0)
  assert.equal(harness.assembler.heldBytes, 0)
  harness.finish()
})

test('timeouts: one frame with a stray timestamp abandons nothing', () => {
  const harness = new AssembleHarness()
  const tcp = new TcpScript().handshake().client(request('/'))
  harness.script(tcp)
  const [stray] = new TcpScript({ startMicros: START_MICROS + 86_400 * SECOND }).handshake().segments
  harness.segments([stray], { client: { address: '10.0.0.77', port: 7 } })
  tcp.segments.splice(0)
  assert.equal(harness.script(tcp.server(response()).close()).finish().pairs.length, 1)
})

test('timeouts: a request with a stray future timestamp does not delay the abandonment of others', () => {
  const harness = new AssembleHarness()
  const stray = new TcpScript({ startMicros: START_MICROS + 86_400 * SECOND }).midstream().client(request('/stray'))
  harness.script(new TcpScript().handshake(), { client: { address: '10.0.0.77', port: 7 } })
  harness.segments(stray.segments.slice(0, 1))
  harness.script(new TcpScript().handshake().client(request('/')), { client: { address: '10.0.0.77', port: 8 } })
  for (let second = 1; second <= 65; second++) harness.tick(START_MICROS + second * SECOND)
  assert.equal(harness.count('requests.abandoned.timeout'), 2)
  harness.finish()
})

test('timeouts: a clock that is set back an hour during an exchange loses no pair, and timeouts follow it', () => {
  const harness = new AssembleHarness()
  const during = new TcpScript().handshake().client(request('/during'))
  harness.script(
    during
      .wait(-3600 * SECOND)
      .server(response())
      .close(),
  )
  const unanswered = new TcpScript({ startMicros: START_MICROS - 3590 * SECOND }).handshake().client(request('/'))
  harness.script(unanswered, { client: { address: '10.0.0.77', port: 7 } })
  for (let second = 0; second <= 62; second++) harness.tick(START_MICROS + (second - 3590) * SECOND)
  assert.equal(harness.count('requests.abandoned.timeout'), 1)
  assert.deepEqual(summary(harness.finish().pairs), ['GET /during 200'])
})

test('timeouts: a clock that is set forward an hour abandons waiting exchanges, and no later ones', () => {
  const harness = new AssembleHarness()
  harness.script(new TcpScript().handshake().client(request('/waits')))
  const tcp = new TcpScript({ startMicros: START_MICROS + 3600 * SECOND }).handshake()
  tcp.client(request('/0')).server(numbered(0)).client(request('/1')).server(numbered(1)).close()
  harness.script(tcp, { client: { address: '10.0.0.77', port: 7 } })
  assert.equal(harness.count('requests.abandoned.timeout'), 1)
  assert.deepEqual(summary(harness.finish().pairs), ['GET /0 200', 'GET /1 200'])
})

for (const hours of [1, -1]) {
  const step = hours * 3600 * SECOND
  test(`timeouts: a reported step of the clock by ${hours} h ends no wait and no connection, and no pair has a wrong duration`, () => {
    const harness = new AssembleHarness({ idleTimeoutMicros: 300 * SECOND })
    const idle = { client: { address: '10.0.0.77', port: 7 } }
    const quiet = new TcpScript().handshake().client(request('/0')).server(numbered(0))
    harness.script(quiet, idle)
    const waits = new TcpScript().handshake().client(request('/waits'))
    harness.script(waits)
    // Two capture workers report the step, and one of them still has earlier frames.
    harness.stepClock(step)
    harness.tick(START_MICROS + step + SECOND)
    harness.tick(START_MICROS + SECOND)
    harness.stepClock(step + 900)
    harness.tick(START_MICROS + step + 1.1 * SECOND)
    waits.segments.splice(0)
    harness.script(
      waits
        .wait(2 * SECOND + step)
        .server(response())
        .close(),
    )
    quiet.segments.splice(0)
    harness.script(
      quiet
        .wait(10 * SECOND + step)
        .client(request('/1'))
        .server(numbered(1))
        .close(),
      idle,
    )
    const { pairs, ledger } = harness.finish()
    assert.deepEqual(summary(pairs), ['GET /0 200', 'GET /waits 200', 'GET /1 200'])
    const waited = pairs[1].responseStartMicros - pairs[1].requestStartMicros
    assert.ok(waited >= 2 * SECOND && waited < 2.1 * SECOND, `${waited}`)
    assert.ok(Math.abs(pairs[1].requestStartMicros - START_MICROS - step) < SECOND, 'by the clock as it is set now')
    assert.equal(count(ledger, 'flows.seen'), 2)
    assert.equal(count(ledger, 'flows.closed.idle'), 0)
  })
}

test('timeouts: after a reported step of the clock, requests are abandoned after 60 s', () => {
  const harness = new AssembleHarness()
  harness.script(new TcpScript().handshake().client(request('/')))
  harness.stepClock(3600 * SECOND)
  for (let second = 1; second <= 59; second++) harness.tick(START_MICROS + (3600 + second) * SECOND)
  assert.equal(harness.count('requests.waiting'), 1)
  for (let second = 60; second <= 62; second++) harness.tick(START_MICROS + (3600 + second) * SECOND)
  assert.equal(harness.count('requests.abandoned.timeout'), 1)
  harness.finish()
})

test('timeouts: a request right after a long silence has its full time', () => {
  const harness = new AssembleHarness()
  harness.script(new TcpScript().handshake(), { client: { address: '10.0.0.77', port: 7 } })
  const tcp = new TcpScript({ startMicros: START_MICROS + 3600 * SECOND, bareAcks: false }).midstream()
  harness.script(
    tcp
      .client(request('/'))
      .wait(59 * SECOND)
      .server(response())
      .close(),
  )
  assert.equal(harness.finish().pairs.length, 1)
})

test('timeouts: the limit is configurable', () => {
  const { pairs } = assemble(answeredAfter(2 * SECOND), { responseTimeoutMicros: SECOND })
  assert.equal(pairs.length, 0)
})

test('timeouts: what is abandoned does not depend on the blocks in which frames are read', () => {
  const script = new TcpScript().handshake().client(request('/0')).server(numbered(0).slice(0, -1))
  for (let k = 0; k < 14; k++) script.wait(5 * SECOND).ack('client')
  const frames = encodeFrames(script.server(numbered(0).slice(-1)).close().segments)
  const options = { idleTimeoutMicros: 60 * SECOND }
  const [one, each] = [new AssembleHarness(options).block(frames), new AssembleHarness(options).frames(frames)]
  assert.equal(each.count('requests.abandoned.timeout'), 1)
  assert.deepEqual(one.finish(), each.finish())
})
