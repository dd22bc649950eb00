/** The hot path allocates nothing: all its memory is allocated at the start. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssembleHarness } from '../support/assemble-harness.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { encodeFrames } from '../support/tcp-frames.ts'
import { TcpScript } from '../support/tcp-script.ts'

/** Heap bytes that `work` leaves in use. */
function growth(work: () => void): number {
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  work()
  collectGarbage()
  return process.memoryUsage().heapUsed - before
}

/** One keep-alive connection, as frames that are reused with increasing sequence numbers. */
class Repeater {
  readonly #harness: AssembleHarness
  readonly #round = new TcpScript({ bareAcks: false })
    .midstream()
    .client('GET /a HTTP/1.1\r\nHost: api\r\n\r\n')
    .server('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')
  readonly #frames = encodeFrames(this.#round.segments)

  constructor(harness: AssembleHarness) {
    this.#harness = harness
    harness.script(new TcpScript().handshake())
  }

  run(rounds: number): void {
    const [request, response] = this.#frames
    const [asked, answered] = this.#round.segments.map(({ payload }) => payload.length)
    for (let i = 0; i < rounds; i++) {
      this.#harness.frames(this.#frames)
      add(request.bytes, asked, answered)
      add(response.bytes, answered, asked)
    }
  }
}

/** Advances a frame's sequence and acknowledgement numbers. */
function add(frame: Uint8Array, seq: number, ack: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  view.setUint32(38, view.getUint32(38) + seq)
  view.setUint32(42, view.getUint32(42) + ack)
}

test('allocation: 200,000 segments of 100,000 exchanges leave nothing on the heap', () => {
  let pairs = 0
  const harness = new AssembleHarness({ onPair: () => pairs++ })
  const repeater = new Repeater(harness)
  repeater.run(20_000)
  const bytes = growth(() => repeater.run(100_000))
  assert.equal(pairs, 120_000)
  assert.ok(bytes < 256 * 1024, `${bytes} bytes more on the heap`)
  harness.finish()
})

test('allocation: new connections reuse the records of ended ones', () => {
  const harness = new AssembleHarness({ onPair: () => {}, flows: 64 })
  const script = new TcpScript().handshake().client('GET / HTTP/1.1\r\n\r\n').server('HTTP/1.1 204 No\r\n\r\n').close()
  const run = (connections: number): void => {
    for (let port = 1; port <= connections; port++) {
      harness.segments(script.segments, { client: { address: '10.0.0.1', port: 1 + (port % 60_000) } })
    }
  }
  run(5000)
  const bytes = growth(() => run(20_000))
  assert.ok(bytes < 512 * 1024, `${bytes} bytes more on the heap`)
  harness.finish()
})
