import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { REDIRECTED_BYTES, RedirectedReplies } from '../../../src/capture/af-packet/redirected-replies.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'

const PROXY = 15_001
const SYN = 0x02
const ACK = 0x10
const POD = [10, 244, 0, 7]
const FAR = [203, 0, 113, 2]
const LOOPBACK = [127, 0, 0, 1]
const LOOPBACK6 = [...new Array<number>(15).fill(0), 1]
const pod6 = (last: number): number[] => [0xfd, 0x44, ...new Array<number>(13).fill(0), last]

type Endpoint = [address: number[], port: number]

/** The sender of a frame after it was processed. */
function senderOf(replies: RedirectedReplies, [source, from]: Endpoint, [target, to]: Endpoint, flags = ACK): Endpoint {
  const header = tcp(from, to)
  header[13] = flags
  const frame = ethernet({ payload: packet({ source, destination: target, protocol: 6, payload: header }) })
  const view = new DataView(frame.buffer)
  replies.frame(view, 0, frame.length)
  const at = source.length === 4 ? 26 : 22
  return [[...frame.subarray(at, at + source.length)], view.getUint16(source.length === 4 ? 34 : 54)]
}

const made = (port = Int32Array.of(PROXY), redirected = new Uint8Array(REDIRECTED_BYTES)): RedirectedReplies =>
  new RedirectedReplies(port, redirected)

test('redirected replies: sets the source of a reply to the proxy, whatever address it had', () => {
  for (const [pod, far, loopback] of [
    [POD, FAR, LOOPBACK],
    [pod6(7), pod6(9), LOOPBACK6],
  ] as const) {
    const replies = made()
    assert.deepEqual(senderOf(replies, [pod, 40_000], [loopback, PROXY], SYN), [pod, 40_000])
    assert.deepEqual(senderOf(replies, [far, 80], [pod, 40_000], SYN | ACK), [loopback, PROXY])
    assert.deepEqual(senderOf(replies, [far, 80], [pod, 40_000]), [loopback, PROXY])
  }
})

test('redirected replies: a new ring or worker of the interface continues with the same state', () => {
  const redirected = new Uint8Array(REDIRECTED_BYTES)
  senderOf(made(undefined, redirected), [POD, 40_000], [LOOPBACK, PROXY], SYN)
  const next = made(undefined, redirected)
  assert.deepEqual(senderOf(next, [FAR, 80], [POD, 40_000]), [LOOPBACK, PROXY])
})

test('redirected replies: leaves replies to connections that do not go to the proxy', () => {
  const replies = made()
  assert.deepEqual(senderOf(replies, [FAR, 80], [POD, 40_000]), [FAR, 80], 'nothing was sent from there')
  senderOf(replies, [POD, 40_000], [LOOPBACK, PROXY], SYN)
  senderOf(replies, [POD, 40_000], [FAR, 8080], SYN)
  assert.deepEqual(senderOf(replies, [FAR, 8080], [POD, 40_000], SYN | ACK), [FAR, 8080])
})

test('redirected replies: leaves inbound connections', () => {
  const replies = made()
  senderOf(replies, [POD, 40_000], [LOOPBACK, PROXY], SYN)
  const proxyToApplication: Endpoint = [[127, 0, 0, 6], 40_001]
  assert.deepEqual(senderOf(replies, proxyToApplication, [POD, 8080], SYN), proxyToApplication)
  assert.deepEqual(senderOf(replies, [POD, 8080], proxyToApplication, SYN | ACK), [POD, 8080])
  assert.deepEqual(senderOf(replies, [LOOPBACK, 9000], [POD, 40_000]), [LOOPBACK, 9000])
})

test('redirected replies: does nothing without a proxy, and starts once its port is known', () => {
  const port = Int32Array.of(0)
  const replies = made(port)
  const ask = (): Endpoint => senderOf(replies, [POD, 40_000], [LOOPBACK, PROXY], SYN)
  ask()
  assert.deepEqual(senderOf(replies, [FAR, 80], [POD, 40_000]), [FAR, 80])
  port[0] = PROXY
  ask()
  assert.deepEqual(senderOf(replies, [FAR, 80], [POD, 40_000]), [LOOPBACK, PROXY])
})

test('redirected replies: ignores truncated packets and other protocols than TCP', () => {
  const replies = made()
  const frame = ethernet({ payload: packet({ source: FAR, destination: POD, protocol: 6, payload: tcp(80, 40_000) }) })
  const view = new DataView(frame.buffer)
  for (let end = 0; end <= frame.length; end++) replies.frame(view, 0, end)
  const datagram = ethernet({ payload: packet({ source: FAR, destination: POD, protocol: 17, payload: tcp(1, 2) }) })
  replies.frame(new DataView(datagram.buffer), 0, datagram.length)
  assert.deepEqual([...datagram.subarray(26, 30)], FAR)
})

const connection = fc.record({
  port: fc.constantFrom(40_000, 40_001, 40_008),
  redirected: fc.boolean(),
  replies: fc.integer({ min: 0, max: 3 }),
})

test('redirected replies: the latest connection of a port decides, in any sequence of connections', () => {
  fc.assert(
    fc.property(fc.array(connection, { maxLength: 40, size: 'max' }), (connections) => {
      const replies = made()
      for (const { port, redirected, replies: count } of connections) {
        const target: Endpoint = redirected ? [LOOPBACK, PROXY] : [FAR, 443]
        assert.deepEqual(senderOf(replies, [POD, port], target, SYN), [POD, port])
        for (let reply = 0; reply < count; reply++) {
          const expected: Endpoint = redirected ? [LOOPBACK, PROXY] : [FAR, 443]
          assert.deepEqual(senderOf(replies, [FAR, 443], [POD, port]), expected)
        }
      }
    }),
  )
})
