/** Payload that live capture omits because its connection carries no HTTP/1 (src/ring/opaque-marks.ts). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssembleHarness } from '../../support/assemble-harness.ts'
import { encodeFrames, type Frame } from '../../support/tcp-frames.ts'
import { TcpScript } from '../../support/tcp-script.ts'

const HELLO = Buffer.concat([Buffer.from('160301020001000001fc0303', 'hex'), Buffer.alloc(505)])
const RECORD = Buffer.concat([Buffer.from('1703034000', 'hex'), Buffer.alloc(0x4000)])
const REQUEST = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n'
const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

const download = (script: TcpScript): TcpScript =>
  script.handshake().client(HELLO).server(RECORD).server(RECORD).client(RECORD)
const exchange = (script: TcpScript): TcpScript => script.client(REQUEST).server(RESPONSE)
const framesOf = ({ segments }: TcpScript): Frame[] => encodeFrames(segments)
/** A later connection between the same endpoints. */
const later = (script: TcpScript): TcpScript =>
  new TcpScript({ clientIsn: 900_000_000, serverIsn: 700_000_000, startMicros: script.micros + 1000 })

test('payload marks: TLS payload is omitted, and counted as if it were captured', () => {
  const script = download(new TcpScript()).close()
  const [all, marked] = [false, true].map((isMarked) => {
    const harness = new AssembleHarness({ marked: isMarked }).frames(framesOf(script))
    return { ledger: harness.finish().ledger, bytes: harness.ringBytes }
  })
  assert.deepEqual(marked.ledger, all.ledger)
  assert.ok(marked.bytes < all.bytes / 5, `${marked.bytes} bytes of ${all.bytes} passed the ring`)
})

for (const end of ['close', 'reset', 'lost'] as const) {
  test(`payload marks: HTTP between the same endpoints is captured whole, however late the assembler: ${end}`, () => {
    const first = download(new TcpScript())
    if (end === 'close') first.close()
    else if (end === 'reset') first.reset('server')
    const second = exchange(later(first).handshake()).close()
    const frames = [...framesOf(first), ...framesOf(second)]
    for (let late = 1; late <= frames.length; late++) {
      const harness = new AssembleHarness()
      for (let at = 0; at < frames.length; at += late) harness.block(frames.slice(at, at + late))
      assert.equal(harness.finish().pairs.length, 1, `${late} frames at a time`)
    }
  })
}

test('payload marks: payload is omitted from a TLS connection whose handshake was not captured', () => {
  const script = new TcpScript().midstream().client(HELLO).server(RECORD).server(RECORD)
  const harness = new AssembleHarness().frames(framesOf(script))
  assert.ok(harness.ringBytes < 0x4000, `${harness.ringBytes} bytes passed the ring`)
  assert.equal(harness.count('flows.protocol.tls'), 1)
  assert.equal(harness.count('bytes.payload'), HELLO.length + 2 * RECORD.length)
})

test('payload marks: payload after a close is copied, even if the SYN of the next connection was not captured', () => {
  const first = download(new TcpScript()).close()
  const second = exchange(exchange(later(first).handshake()))
  const withoutHandshake = second.segments.slice(3)
  const runs = [false, true].map((marked) =>
    new AssembleHarness({ marked }).frames([...framesOf(first), ...encodeFrames(withoutHandshake)]).finish(),
  )
  assert.deepEqual(runs[1].ledger, runs[0].ledger)
  assert.ok(runs[1].pairs.length > 0)
})

test('payload marks: payload is copied again once one endpoint has closed', () => {
  const script = download(new TcpScript()).fin('client')
  const before = script.segments.length
  const frames = framesOf(script.server(RECORD))
  const harness = new AssembleHarness().frames(frames.slice(0, before))
  const passed = harness.ringBytes
  harness.frames(frames.slice(before))
  assert.ok(harness.ringBytes - passed > RECORD.length)
})

test('payload marks: omitted payload that is needed becomes a gap, and later payload is captured', () => {
  const first = download(new TcpScript())
  const harness = new AssembleHarness({ idleTimeoutMicros: 1_000_000 }).frames(framesOf(first))
  // The idle connection expires and then continues as HTTP/1: only its first segment lacks its payload.
  for (let second = 1; second <= 90; second++) harness.tick(first.micros + second * 1_000_000)
  assert.equal(harness.count('flows.closed.idle'), 1)
  const ignored = harness.count('segments.ignored')
  const script = new TcpScript({ startMicros: first.micros + 90_100_000 }).midstream()
  for (let number = 0; number < 4; number++) exchange(script)
  harness.frames(framesOf(script))
  assert.equal(harness.count('segments.ignored'), ignored + 2, 'the request, and its acknowledgement')
  assert.equal(harness.finish().pairs.length, 3)
})
