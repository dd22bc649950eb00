/**
 * Live capture from AF_PACKET rings: polls over all sockets of a worker and hands each frame to the sink straight from
 * the kernel's memory. Sockets come and go while it runs. Capture worker's thread, which it does not leave before it is
 * told to.
 */

import { poll } from '../../sys/libc.ts'
import { POLLERR, POLLIN } from '../../sys/packet.ts'
import { COMMAND_DRAIN, COMMAND_STOP, type Control } from '../../thread/control.ts'
import { CpuTimeRecorder } from '../../thread/cpu-time.ts'
import type { Mailbox } from '../../thread/mailbox.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { PressedSink } from '../frame-sink.ts'
import type { AfPacketSource, LentSocket, ToCapture } from '../worker-data.ts'
import { RETIRE_MS } from './ring-geometry.ts'
import { WorkerSocket } from './worker-socket.ts'

/** A sleeping worker sees a command or a message after this time at the latest. */
const POLL_MS = 100
/** The same while sockets are being closed. */
const DRAIN_POLL_MS = 5
const HOUSEKEEPING_MS = 1000
/** How long blocks are left with the kernel before the assemblers are looked at again. */
const HOLD_MS = 1
/** The packet clock of a quiet interface runs this much behind, or frames of a block not yet ours would be in its past. */
const CLOCK_LAG_MICROS = 2 * RETIRE_MS * 1000

/** What the worker's run has beside its sockets. */
export interface CaptureContext {
  readonly sink: PressedSink
  readonly control: Control
  readonly mail: Mailbox<ToCapture>
  /** The worker's own CAPTURE_COUNTERS block, beside those of its interfaces. */
  readonly counters: Float64Array
  readonly post: (message: FromWorker) => void
}

/** Loads the foreign functions: some 50 ms. */
export const bindAfPacket = (): unknown => poll(new Uint8Array(0), 0, 0)

/**
 * Captures until the command is drain (the rings are closed to new frames, then emptied) or stop (at once).
 *
 * @throws SystemError when the kernel refuses what it granted before
 */
export function runAfPacket(source: AfPacketSource, context: CaptureContext): void {
  const { control, sink } = context
  const capture = new AfPacketCapture(source, context)
  const cpuTime = new CpuTimeRecorder(control)
  let draining = false
  while (control.command !== COMMAND_STOP) {
    control.beat()
    const now = performance.now()
    cpuTime.update(now)
    capture.readMail(now)
    if (control.command === COMMAND_DRAIN && !draining) {
      capture.closeToNewFrames(now)
      draining = true
    }
    capture.keepHouse(now)
    capture.settle(now)
    capture.letGo(now)
    if (capture.takeBlocks(now)) continue
    if (draining && capture.isDone(now)) break
    capture.wait(draining || capture.isClosing ? DRAIN_POLL_MS : POLL_MS)
  }
  capture.countKernelDrops()
  sink.countInto(context.counters)
}

/** The sockets of one worker. */
class AfPacketCapture {
  readonly #context: CaptureContext
  readonly #sink: PressedSink
  #sockets: WorkerSocket[] = []
  /** `struct pollfd` of each socket, by position. */
  #pollFds = new DataView(new ArrayBuffer(0))
  #pollBytes = new Uint8Array(0)
  /** Sockets that are being closed. */
  #closing = 0
  /** Never woken: only to sleep on. */
  readonly #pause = new Int32Array(new SharedArrayBuffer(4))
  #nextHousekeeping = 0

  constructor(source: AfPacketSource, context: CaptureContext) {
    this.#context = context
    this.#sink = context.sink
    this.#use(source.sockets.map((socket) => this.#take(socket)))
    const now = performance.now()
    for (const { interfaceId, closing } of source.sockets) if (closing) this.#close(interfaceId, now)
  }

  /** Whether sockets are being closed. */
  get isClosing(): boolean {
    return this.#closing > 0
  }

  /** Makes the last frames of sockets that are being closed readable. Before anything asks whether their rings are empty. */
  settle(now: number): void {
    for (const socket of this.#sockets) socket.settle(now)
  }

  /** Whether every socket was closed to new frames, and its ring is empty. */
  isDone(now: number): boolean {
    return this.#sockets.every((socket) => socket.isDone(now))
  }

  /** Adds and releases sockets. */
  readMail(now: number): void {
    this.#context.mail.read((message) => {
      if (message.t === 'open') this.#use([...this.#sockets, this.#take(message.socket)])
      else this.#close(message.interfaceId, now)
    })
  }

  /** Parts with sockets that were closed a while ago, once their rings are empty. */
  letGo(now: number): void {
    if (this.#closing === 0) return
    const done = this.#sockets.filter((socket) => socket.isDone(now))
    if (done.length === 0) return
    for (const socket of done) socket.end(this.#sink)
    this.#closing -= done.length
    this.#sink.countInto(this.#context.counters)
    // Before the supervisor hears of it: the flows' end must be in the ring whatever becomes of us.
    this.#sink.flush()
    this.#use(this.#sockets.filter((socket) => !done.includes(socket)))
    for (const { interfaceId } of done) this.#context.post({ t: 'closed', interfaceId })
  }

  /**
   * Takes at most one block from each ring, in turn. While the assemblers are behind, blocks stay with the kernel, whose
   * ring is so much more room; when that runs full, connections are shed.
   *
   * @returns whether there was any
   */
  takeBlocks(now: number): boolean {
    let taken = false
    let held = false
    for (const socket of this.#sockets) {
      const { ring } = socket
      const bytes = ring.readyBytes
      if (bytes === 0) continue
      const room = this.#sink.hasRoom(bytes)
      if (!room && !ring.crowded && !socket.isOverdue(now)) {
        held = true
        continue
      }
      if (!room) this.#sink.press()
      this.#sink.countInto(socket.counters)
      ring.giveBlock(this.#sink)
      taken = true
    }
    if (taken) {
      this.#sink.flush()
      // Release blocks only now: a successor re-reads whatever the assemblers could not see yet.
      for (const { ring } of this.#sockets) ring.release()
    } else if (held) Atomics.wait(this.#pause, 0, 0, HOLD_MS)
    return taken || held
  }

  /** Sleeps until there is a block or an error, and lets the packet clock go on. */
  wait(timeoutMs: number): void {
    this.#lookAtInterfaces(timeoutMs)
    this.#sink.stamp.micros = Date.now() * 1000 - CLOCK_LAG_MICROS
    this.#sink.tick()
    this.#sink.flush()
  }

  /** From here on nothing enters the rings; what is in them stays. */
  closeToNewFrames(now: number): void {
    for (const socket of this.#sockets) socket.closeToNewFrames(now)
  }

  /** Once a second, however busy: kernel drops, interfaces that went away or are back. */
  keepHouse(now: number): void {
    if (now < this.#nextHousekeeping) return
    this.#nextHousekeeping = now + HOUSEKEEPING_MS
    this.countKernelDrops()
    this.#lookAtInterfaces(0)
  }

  countKernelDrops(): void {
    for (const socket of this.#sockets) socket.countKernelDrops()
  }

  #take(socket: LentSocket): WorkerSocket {
    return new WorkerSocket(socket, this.#sink, this.#context.post)
  }

  #close(interfaceId: number, now: number): void {
    const socket = this.#sockets.find((candidate) => candidate.interfaceId === interfaceId)
    if (socket === undefined) return
    socket.closeToNewFrames(now)
    this.#closing += 1
  }

  /** Not while the sockets are walked through. */
  #use(sockets: WorkerSocket[]): void {
    this.#sockets = sockets
    this.#pollFds = new DataView(new ArrayBuffer(sockets.length * 8))
    this.#pollBytes = new Uint8Array(this.#pollFds.buffer)
    sockets.forEach(({ fd }, position) => {
      this.#pollFds.setInt32(position * 8, fd, true)
      this.#pollFds.setInt16(position * 8 + 4, POLLIN, true)
    })
  }

  #lookAtInterfaces(timeoutMs: number): void {
    const count = this.#sockets.length
    const reported = poll(this.#pollBytes, count, timeoutMs)
    for (let position = 0; position < count; position++) {
      const { watch } = this.#sockets[position]
      watch.check()
      if (reported === 0) continue
      const events = this.#pollFds.getInt16(position * 8 + 6, true)
      if ((events & POLLERR) !== 0) watch.onError()
    }
  }
}
