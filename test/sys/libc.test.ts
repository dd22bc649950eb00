import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { close, getsockopt, mapShared, poll, setsockoptInt, socket } from '../../src/sys/libc.ts'
import { AF_INET, SO_ERROR, SOCK_DGRAM, SOL_SOCKET } from '../../src/sys/packet.ts'
import { hasCode, SystemError } from '../../src/sys/system-error.ts'

const SO_RCVBUF = 8

test('libc: the error of a failed call names the call', { skip: needs('linux') }, () => {
  assert.throws(
    () => close(-1),
    (error) => error instanceof SystemError && error.code === 'EBADF' && /close: .*EBADF/.test(error.message),
  )
  assert.throws(
    () => socket(12345, 0, 0),
    (error) => hasCode(error, 'EAFNOSUPPORT', 'EINVAL'),
  )
  assert.equal(hasCode(new Error('EBADF'), 'EBADF'), false)
})

test('libc: a mapping that the kernel refuses is an error, not an address', { skip: needs('linux') }, (t) => {
  const fd = socket(AF_INET, SOCK_DGRAM, 0)
  t.after(() => close(fd))
  assert.throws(() => mapShared(fd, 4096), SystemError)
})

test('libc: writes and reads socket options', { skip: needs('linux') }, (t) => {
  const fd = socket(AF_INET, SOCK_DGRAM, 0)
  t.after(() => close(fd))
  setsockoptInt(fd, SOL_SOCKET, SO_RCVBUF, 50_000, 'SO_RCVBUF')
  const value = new Int32Array(1)
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, new Uint8Array(value.buffer), 'SO_RCVBUF')
  assert.equal(value[0], 100_000, 'socket(7): the kernel doubles it')
  value[0] = -1
  getsockopt(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(value.buffer), 'SO_ERROR')
  assert.equal(value[0], 0)
})

test('libc: poll returns the events of a descriptor', { skip: needs('linux') }, (t) => {
  const fd = socket(AF_INET, SOCK_DGRAM, 0)
  t.after(() => close(fd))
  const [POLLIN, POLLOUT] = [1, 4]
  const fds = new DataView(new ArrayBuffer(8))
  fds.setInt32(0, fd, true)
  fds.setInt16(4, POLLIN, true)
  assert.equal(poll(new Uint8Array(fds.buffer), 1, 0), 0)
  fds.setInt16(4, POLLIN | POLLOUT, true)
  assert.equal(poll(new Uint8Array(fds.buffer), 1, 0), 1)
  assert.equal(fds.getInt16(6, true), POLLOUT)
})
