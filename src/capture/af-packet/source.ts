/**
 * Live capture from AF_PACKET rings: polls all sockets of a worker and passes each frame to the sink directly from the
 * kernel's memory. Sockets are added and removed while it runs. It occupies the capture worker's thread until a command
 * ends it.
 */

import { poll } from '../../sys/libc.ts'
import { POLLERR, POLLIN } from '../../sys/packet.ts'
import { clearWakeEvent } from '../../sys/wake-event.ts'
import { ClockSteps } from '../../thread/clock-steps.ts'
import { COMMAND_DRAIN, COMMAND_STOP, type Control } from '../../thread/control.ts'
import { CpuTimeRecorder } from '../../thread/cpu-time.ts'
import type { Mailbox } from '../../thread/mailbox.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { Backlog, SheddingSink } from '../frame-sink.ts'
import { KEEP_ALL } from '../intake/flow-shedder.ts'
import type { AfPacketSource, LentSocket, ToCapture } from '../worker-data.ts'
import { KernelThreshold } from './kernel-threshold.ts'
import { ReadPace } from './read-pace.ts'
import { WorkerSocket } from './worker-socket.ts'

/**
 * Longest sleep: heartbeats continue, the packet clock advances, and the first frame after a pause is found, for which the
 * kernel does not wake the worker before its block is retired.
 */
const POLL_MS = 400
/** Longest sleep with more than FEW_SOCKETS: checking 110 idle sockets costs half a millisecond of CPU. */
const MANY_POLL_MS = 750
const FEW_SOCKETS = 16
/** Longest sleep while an open block has frames: they are read within two such sleeps. */
const LOOK_MS = 50
/** Longest sleep while an interface is down or deleted, which may return at any time. */
const SEEK_MS = 100
/** Longest sleep while sockets are being closed. */
const DRAIN_POLL_MS = 5
/** Size of a `struct pollfd`. */
const POLLFD_BYTES = 8
const HOUSEKEEPING_MS = 1000
/** Smaller steps of the system clock are not reported, because the assemblers handle them like time that has passed. */
const MIN_STEP_MS = 10_000
/** Drops are counted at once from this share of a ring on, and while connections are shed; else every HOUSEKEEPING_MS. */
const CROWDED_SHARE = 1 / 4
/** Interval of checking whether the assemblers have room again while blocks are held back. */
const HOLD_MS = 1
/** The packet clock of an idle interface lags by this much, so that frames on their way into the ring are not in its past. */
const CLOCK_LAG_MICROS = 100_000

/** The parts of a worker that its sockets share. */
export interface CaptureContext {
  readonly sink: SheddingSink
  readonly control: Control
  readonly mail: Mailbox<ToCapture>
  /** The worker's own CAPTURE_COUNTERS block, beside those of its interfaces. */
  readonly counters: Float64Array
  /** Secret of the flow hash, int32. */
  readonly secret: number
  readonly post: (message: FromWorker) => void
  /**
   * Warms up code for less than a millisecond, while there is no frame. @returns milliseconds to wait for frames before
   * the next call; Infinity when there is nothing left to warm up
   */
  readonly warmUp: () => number
}

/** Loads the foreign functions, which costs some 50 ms. */
export const bindAfPacket = (): unknown => poll(new Uint8Array(0), 0, 0)

/**
 * Captures until the command is drain (the rings are closed to new frames, then read to their end) or stop (at once).
 *
 * @throws SystemError when a system call fails that succeeded before
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
    capture.followClock(now)
    capture.readMail(now)
    if (control.command === COMMAND_DRAIN && !draining) {
      capture.closeToNewFrames(now)
      draining = true
    }
    capture.doHousekeeping(now)
    capture.advance(now)
    capture.removeClosed(now)
    if (capture.readBlocks(now)) continue
    if (draining && capture.isDone(now)) break
    const warmUpPauseMs = draining ? Number.POSITIVE_INFINITY : context.warmUp()
    if (warmUpPauseMs > 0) capture.wait(draining, warmUpPauseMs, now)
  }
  capture.countKernelDrops()
  sink.countInto(context.counters)
}

/** The sockets of one worker. */
class AfPacketCapture {
  readonly #context: CaptureContext
  readonly #sink: SheddingSink
  #sockets: WorkerSocket[] = []
  readonly #wakeFd: number
  /** One `struct pollfd` for the wake event and one per socket, in the same order. */
  #pollFds = new DataView(new ArrayBuffer(0))
  #pollBytes = new Uint8Array(0)
  /** Sockets that are being closed. */
  #closing = 0
  /** A word for `Atomics.wait`, which nothing ever notifies. */
  readonly #pause = new Int32Array(new SharedArrayBuffer(4))
  #nextHousekeeping = 0
  /** Since the last housekeeping. */
  #hasPolled = false
  /** Kernel drops since the backlog was measured. */
  #drops = 0
  readonly #clockSteps = new ClockSteps(MIN_STEP_MS)
  readonly #kernelThreshold = new KernelThreshold()
  #kernelKeep = KEEP_ALL
  readonly #pace = new ReadPace()

  constructor(source: AfPacketSource, context: CaptureContext) {
    this.#context = context
    this.#sink = context.sink
    this.#wakeFd = source.wakeFd
    this.#setSockets(source.sockets.map((socket) => this.#workerSocket(socket)))
    const now = performance.now()
    for (const [i, { replaced, closing }] of source.sockets.entries()) {
      const socket = this.#sockets[i]
      const previous = replaced ? null : this.#replacedOf(socket.interfaceId)
      if (previous !== null) this.#takeOver(socket, previous, now)
      if (closing) this.#close(socket, now)
    }
    context.sink.watchBacklog(() => this.#backlog())
  }

  /**
   * Continues switches, and makes the last frames of closing sockets readable. To be called before `isDone` and
   * `removeClosed`.
   */
  advance(now: number): void {
    for (const socket of this.#sockets) socket.advance(now)
  }

  /** Whether every socket is closed to new frames and its ring is empty. */
  isDone(now: number): boolean {
    return this.#sockets.every((socket) => socket.isDone(now))
  }

  /** Reports a step of the system clock. To be called before frames that were captured after it are read. */
  followClock(now: number): void {
    const stepMs = this.#clockSteps.next(Date.now(), now)
    if (stepMs !== 0) this.#sink.stepClock(stepMs * 1000)
  }

  /** Adds and closes sockets as the main thread's messages require. */
  readMail(now: number): void {
    this.#context.mail.read((message) => {
      if (message.t === 'open') this.#setSockets([...this.#sockets, this.#workerSocket(message.socket)])
      else if (message.t === 'replace') this.#replace(message.socket, now)
      else if (message.t === 'close') this.#close(this.#find(message.interfaceId), now)
      else this.#find(message.interfaceId)?.setProgram(message.program)
    })
  }

  /** Removes closed sockets whose rings are empty, and reports them. */
  removeClosed(now: number): void {
    if (this.#closing === 0) return
    const done = this.#sockets.filter((socket) => socket.isDone(now))
    if (done.length === 0) return
    for (const socket of done) socket.end(this.#sink)
    this.#closing -= done.length
    this.#sink.countInto(this.#context.counters)
    // Flush before reporting: the end of the flows must be in the ring even if this thread fails now.
    this.#sink.flush()
    this.#setSockets(this.#sockets.filter((socket) => !done.includes(socket)))
    for (const { interfaceId, replaced } of done) {
      this.#context.post({ t: replaced ? 'replaced' : 'closed', interfaceId })
    }
  }

  /**
   * Reads at most one block from each ring, or what is complete of its open block. While the assemblers are behind, blocks stay
   * in the kernel's ring, which serves as additional buffer; when that is nearly full, connections are shed.
   *
   * @returns whether there was something to read
   */
  readBlocks(now: number): boolean {
    let delivered = false
    let held = false
    for (const socket of this.#sockets) {
      const { ring } = socket
      if (socket.waits) continue
      const ready = ring.readyBytes
      const bytes = ready === 0 ? ring.settle(now) : ready
      if (bytes === 0) continue
      const room = this.#sink.hasRoom(bytes)
      if (!room && !ring.isNearlyFull && !socket.isOverdue(now)) {
        held = true
        continue
      }
      this.#pace.addRead(bytes)
      this.#sink.countInto(socket.counters)
      socket.shedInKernel(this.#kernelKeep)
      if (ready === 0) ring.deliverSettled(this.#sink)
      else if (socket.deliverBlock(this.#sink, now))
        this.#context.post({ t: 'ringShort', interfaceId: socket.interfaceId })
      delivered = true
    }
    if (delivered) {
      this.#sink.flush()
      this.#shedInKernel()
      // Released last: a block that is read in part is left to a successor.
      for (const { ring } of this.#sockets) ring.release()
    } else if (held) Atomics.wait(this.#pause, 0, 0, HOLD_MS)
    return delivered || held
  }

  /** Sleeps until there may be frames, an error or a command, but not longer than `atMostMs`, and advances the packet clock. */
  wait(draining: boolean, atMostMs: number, now: number): void {
    const longestMs = Math.min(this.#longestSleep(draining), Math.ceil(atMostMs))
    const paceMs = draining || this.#closing > 0 ? 0 : this.#paceMs(now)
    if (paceMs > 0) this.#poll(paceMs, false)
    else this.#poll(longestMs)
    this.#hasPolled = true
    const micros = Date.now() * 1000 - CLOCK_LAG_MICROS
    if (!this.#hasFrames) {
      this.#sink.stamp.micros = micros
      this.#sink.tick()
    }
    this.#sink.flush()
    this.#shedInKernel()
  }

  /** How long frames are left in the rings to save CPU time; 0: they are read as soon as possible. */
  #paceMs(now: number): number {
    const smallest = this.#sockets.reduce(
      (least, { ring }) => Math.min(least, ring.capacityBytes),
      Number.POSITIVE_INFINITY,
    )
    const paceMs = this.#pace.next(now, smallest)
    return this.#context.control.shedForCpu > 0 && this.#kernelKeep < KEEP_ALL ? paceMs : 0
  }

  #longestSleep(draining: boolean): number {
    if (draining || this.#closing > 0) return DRAIN_POLL_MS
    if (this.#hasFrames) return LOOK_MS
    if (this.#sockets.some(({ watch }) => watch.isSeeking)) return SEEK_MS
    return this.#sockets.length > FEW_SOCKETS ? MANY_POLL_MS : POLL_MS
  }

  get #hasFrames(): boolean {
    return this.#sockets.some(({ ring }) => ring.holdsFrames)
  }

  /** Interfaces where frames arrive get a lower threshold with their next block, the others none. */
  #shedInKernel(): void {
    const keep = this.#kernelThreshold.follow(this.#sink.keepThreshold)
    if (keep > this.#kernelKeep) for (const socket of this.#sockets) socket.shedLessInKernel(keep)
    this.#kernelKeep = keep
  }

  /** Stops delivery into the rings; frames that they hold remain readable. */
  closeToNewFrames(now: number): void {
    for (const socket of this.#sockets) socket.closeToNewFrames(now)
  }

  /** Once a second, however busy the worker is: counts kernel drops, releases memory, checks for lost interfaces. */
  doHousekeeping(now: number): void {
    if (now < this.#nextHousekeeping) return
    this.#nextHousekeeping = now + HOUSEKEEPING_MS
    this.countKernelDrops()
    this.#sink.releaseMemory()
    if (!this.#hasPolled) this.#poll(0)
    this.#hasPolled = false
  }

  countKernelDrops(): void {
    for (const socket of this.#sockets) this.#drops += socket.countKernelDrops()
  }

  /** Measures what waits in the kernel's rings. */
  #backlog(): Backlog {
    let [bytes, fullest, capacity] = [0, 0, 0]
    for (const { ring } of this.#sockets) {
      const waiting = ring.waitingBytes
      bytes += waiting
      // All rings have the same size, apart from rounding.
      fullest = Math.max(fullest, waiting)
      capacity = Math.max(capacity, ring.capacityBytes)
    }
    if (fullest > capacity * CROWDED_SHARE || this.#sink.keepThreshold < KEEP_ALL) this.countKernelDrops()
    const lost = this.#drops
    this.#drops = 0
    return { bytes, fullest, capacity, lost }
  }

  #workerSocket(socket: LentSocket): WorkerSocket {
    return new WorkerSocket(socket, this.#context.secret, this.#sink, this.#context.post)
  }

  #find(interfaceId: number): WorkerSocket | undefined {
    return this.#sockets.find((socket) => socket.interfaceId === interfaceId && !socket.replaced)
  }

  #replacedOf(interfaceId: number): WorkerSocket | null {
    return this.#sockets.find((socket) => socket.interfaceId === interfaceId && socket.replaced) ?? null
  }

  #replace(lent: LentSocket, now: number): void {
    const previous = this.#find(lent.interfaceId)
    const socket = this.#workerSocket(lent)
    this.#setSockets([...this.#sockets, socket])
    if (previous !== undefined) this.#takeOver(socket, previous, now)
  }

  #takeOver(socket: WorkerSocket, previous: WorkerSocket, now: number): void {
    socket.takeOver(previous, now)
    this.#closing += 1
  }

  #close(socket: WorkerSocket | undefined, now: number): void {
    if (socket === undefined) return
    socket.closeToNewFrames(now)
    this.#closing += 1
  }

  /** Must not be called while `#sockets` is iterated. */
  #setSockets(sockets: WorkerSocket[]): void {
    this.#sockets = sockets
    const fds = [this.#wakeFd, ...sockets.map(({ fd }) => fd)]
    this.#pollFds = new DataView(new ArrayBuffer(fds.length * POLLFD_BYTES))
    this.#pollBytes = new Uint8Array(this.#pollFds.buffer)
    fds.forEach((fd, position) => {
      this.#pollFds.setInt32(position * POLLFD_BYTES, fd, true)
      this.#pollFds.setInt16(position * POLLFD_BYTES + 4, POLLIN, true)
    })
  }

  /** @param forFrames whether frames end the sleep */
  #poll(timeoutMs: number, forFrames = true): void {
    const count = this.#sockets.length
    const reported = poll(this.#pollBytes, forFrames ? 1 + count : 1, timeoutMs)
    if (reported > 0 && this.#events(0) !== 0) clearWakeEvent(this.#wakeFd)
    for (let position = 0; position < count; position++) {
      const { watch, replaced } = this.#sockets[position]
      if (!replaced) watch.check()
      if (forFrames && reported > 0 && (this.#events(1 + position) & POLLERR) !== 0) watch.onError()
    }
  }

  /** What the last poll has reported of a descriptor. */
  #events(position: number): number {
    return this.#pollFds.getInt16(position * POLLFD_BYTES + 6, true)
  }
}
