import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { poll } from '../../src/sys/libc.ts'
import { POLLIN } from '../../src/sys/packet.ts'
import { clearWakeEvent, WakeEvent } from '../../src/sys/wake-event.ts'

/** Whether a poll on a descriptor would return at once. */
function isReadable(fd: number): boolean {
  const fds = new DataView(new ArrayBuffer(8))
  fds.setInt32(0, fd, true)
  fds.setInt16(4, POLLIN, true)
  return poll(new Uint8Array(fds.buffer), 1, 0) === 1
}

test('wake event: is readable from its first signal until it is cleared', { skip: needs('linux') }, (t) => {
  const event = new WakeEvent()
  t.after(() => event.close())
  const { fd } = event
  assert.equal(isReadable(fd), false)
  event.signal()
  event.signal()
  assert.equal(isReadable(fd), true)
  clearWakeEvent(fd)
  assert.equal(isReadable(fd), false)
  event.signal()
  assert.equal(isReadable(fd), true)
})

test('wake event: a closed one is never readable, and ignores signals', { skip: needs('linux') }, () => {
  const event = new WakeEvent()
  event.close()
  event.signal()
  event.close()
  assert.equal(isReadable(event.fd), false)
})
