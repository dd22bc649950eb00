/**
 * The C library's functions that live capture needs, bound from the process itself (`load(null)`), so that glibc and
 * musl both work. Every function throws SystemError on failure. All run synchronously on the calling thread, as `setns`
 * requires.
 */
import { constants } from 'node:os'
import { ffi } from './ffi.ts'
import { SystemError } from './system-error.ts'

interface Libc {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number
  mmap(address: null, length: number, protection: number, flags: number, fd: number, offset: number): bigint
  munmap(address: bigint, length: number): number
  poll(fds: Uint8Array, count: number, timeoutMs: number): number
  ioctl(fd: number, request: number, argument: Uint8Array): number
  close(fd: number): number
  eventfd(value: number, flags: number): number
  setns(fd: number, type: number): number
  syscall(call: number, fd: number, buffer: Uint8Array, length: number): number
  sched_setscheduler(call: number, pid: number, policy: number, parameters: Uint8Array): number
  ioprio_set(call: number, which: number, who: number, priority: number): number
}

/** mmap's MAP_FAILED, (void *) -1. */
const MAP_FAILED = 0xffff_ffff_ffff_ffffn
const PROT_READ_WRITE = 0x3
const MAP_SHARED = 0x1

let bound: Libc | undefined

function libc(): Libc {
  if (bound !== undefined) return bound
  const lib = ffi().load(null)
  bound = {
    socket: lib.func('socket', 'int', ['int', 'int', 'int']),
    bind: lib.func('bind', 'int', ['int', 'void *', 'uint32']),
    getsockname: lib.func('getsockname', 'int', ['int', 'void *', 'void *']),
    setsockopt: lib.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint32']),
    getsockopt: lib.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']),
    mmap: lib.func('mmap', 'void *', ['void *', 'size_t', 'int', 'int', 'int', 'long']),
    munmap: lib.func('munmap', 'int', ['void *', 'size_t']),
    poll: lib.func('poll', 'int', ['void *', 'ulong', 'int']),
    // Variadic in C. The requests used here have one pointer argument, which every 64-bit ABI of Linux passes the same
    // way.
    ioctl: lib.func('ioctl', 'int', ['int', 'ulong', 'void *']),
    close: lib.func('close', 'int', ['int']),
    eventfd: lib.func('eventfd', 'int', ['uint', 'int']),
    setns: lib.func('setns', 'int', ['int', 'int']),
    // Variadic in C, as ioctl.
    syscall: lib.func('syscall', 'long', ['long', 'long', 'void *', 'size_t']),
    // musl's sched_setscheduler always fails, and no C library has ioprio_set.
    sched_setscheduler: lib.func('syscall', 'long', ['long', 'long', 'long', 'void *']),
    ioprio_set: lib.func('syscall', 'long', ['long', 'long', 'long', 'long']),
  }
  return bound
}

function checked(call: string, result: number): number {
  if (result === -1) throw new SystemError(call, ffi().errno())
  return result
}

/** socket(2). @returns the descriptor, to be closed with `close` */
export const socket = (domain: number, type: number, protocol: number): number =>
  checked('socket', libc().socket(domain, type, protocol))

/** bind(2). @param address an encoded sockaddr */
export function bind(fd: number, address: Uint8Array): void {
  checked('bind', libc().bind(fd, address, address.byteLength))
}

/** setsockopt(2). @param what the option's name, for the error */
export function setsockopt(fd: number, level: number, option: number, value: Uint8Array, what: string): void {
  checked(`setsockopt ${what}`, libc().setsockopt(fd, level, option, value, value.byteLength))
}

/** setsockopt(2) with an int. */
export function setsockoptInt(fd: number, level: number, option: number, value: number, what: string): void {
  setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), what)
}

/** A socklen_t that the kernel reads and writes. */
const length = new Uint32Array(1)
const lengthBytes = new Uint8Array(length.buffer)

/** getsockname(2) into `address`, whose length bounds the result. */
export function getsockname(fd: number, address: Uint8Array): void {
  length[0] = address.byteLength
  checked('getsockname', libc().getsockname(fd, address, lengthBytes))
}

/** getsockopt(2) into `value`, whose length bounds the result. */
export function getsockopt(fd: number, level: number, option: number, value: Uint8Array, what: string): void {
  length[0] = value.byteLength
  checked(`getsockopt ${what}`, libc().getsockopt(fd, level, option, value, lengthBytes))
}

/** mmap(2), shared, readable and writable, from the descriptor's start. @returns the address */
export function mapShared(fd: number, byteLength: number): bigint {
  const address = libc().mmap(null, byteLength, PROT_READ_WRITE, MAP_SHARED, fd, 0)
  if (BigInt.asUintN(64, address) === MAP_FAILED) throw new SystemError('mmap', ffi().errno())
  return address
}

/** munmap(2). No view of the memory may be used afterwards, in any thread. */
export function unmap(address: bigint, byteLength: number): void {
  checked('munmap', libc().munmap(address, byteLength))
}

/**
 * poll(2). A signal that interrupts it counts as a timeout.
 *
 * @param fds `struct pollfd[count]`, 8 bytes each: fd i32, events i16, revents i16
 * @returns the number of descriptors with events
 */
export function poll(fds: Uint8Array, count: number, timeoutMs: number): number {
  const ready = libc().poll(fds, count, timeoutMs)
  if (ready !== -1) return ready
  const error = new SystemError('poll', ffi().errno())
  if (error.code === 'EINTR') return 0
  throw error
}

/** ioctl(2) with a structure that the kernel reads or writes. */
export function ioctl(fd: number, request: number, argument: Uint8Array, what: string): void {
  checked(`ioctl ${what}`, libc().ioctl(fd, request, argument))
}

/** close(2). */
export function close(fd: number): void {
  checked('close', libc().close(fd))
}

/** eventfd(2), its counter at 0. @returns the descriptor, to be closed with `close` */
export const eventfd = (flags: number): number => checked('eventfd', libc().eventfd(0, flags))

/** setns(2): moves the calling thread. */
export function setns(fd: number, type: number): void {
  checked('setns', libc().setns(fd, type))
}

/** Linux's numbers of system calls without a portable C function, by Node.js's name of the architecture. */
const SYSTEM_CALLS = {
  getdents64: { x64: 217, arm64: 61 },
  sched_setscheduler: { x64: 144, arm64: 119 },
  ioprio_set: { x64: 251, arm64: 30 },
} as const satisfies Record<string, Record<string, number>>

/** @throws SystemError (ENOSYS) on other systems and architectures */
function systemCall(name: keyof typeof SYSTEM_CALLS): number {
  const numbers: Readonly<Record<string, number>> = SYSTEM_CALLS[name]
  const call = numbers[process.arch]
  if (call === undefined || process.platform !== 'linux') throw new SystemError(name, constants.errno.ENOSYS)
  return call
}

/**
 * getdents64(2): the next entries of a folder, as many as fit.
 *
 * @returns bytes of `struct linux_dirent64` in `buffer`; 0 at the end
 */
export function getdents64(fd: number, buffer: Uint8Array): number {
  return checked('getdents64', libc().syscall(systemCall('getdents64'), fd, buffer, buffer.byteLength))
}

/**
 * sched_setscheduler(2) with the static priority 0.
 *
 * @param thread a thread id
 * @param policy SCHED_BATCH or SCHED_IDLE
 */
export function setScheduler(thread: number, policy: number): void {
  const parameters = new Uint8Array(4)
  checked('sched_setscheduler', libc().sched_setscheduler(systemCall('sched_setscheduler'), thread, policy, parameters))
}

const IOPRIO_WHO_PROCESS = 1

/** ioprio_set(2). @param thread a thread id @param priority class and data, as linux/ioprio.h combines them */
export function setIoPriority(thread: number, priority: number): void {
  checked('ioprio_set', libc().ioprio_set(systemCall('ioprio_set'), IOPRIO_WHO_PROCESS, thread, priority))
}
