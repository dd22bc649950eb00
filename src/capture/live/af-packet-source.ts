/**
 * Live capture from AF_PACKET rings: polls over all sockets of a worker and hands each frame to the sink straight from
 * the kernel's memory. Capture worker's thread, which it does not leave before it is told to.
 */
import type { Control } from '../../control.ts'
import { CAPTURE_COUNTERS } from '../../counters.ts'
import { type AfPacketSource, COMMAND_DRAIN, COMMAND_STOP, type FromWorker } from '../../messages.ts'
import { poll } from '../../sys/libc.ts'
import { POLLERR, POLLIN } from '../../sys/packet.ts'
import type { PressedSink } from '../frame-sink.ts'
import { refuseAll } from './bpf.ts'
import { InterfaceWatch } from './interface-watch.ts'
import { PacketRing } from './packet-ring.ts'
import { attachFilter, takeKernelDrops } from './packet-socket.ts'
import { RETIRE_MS } from './ring-shape.ts'

/** A sleeping worker sees a command after this time at the latest. */
const POLL_MS = 100
const HOUSEKEEPING_MS = 1000
/** How long blocks are left with the kernel before the assemblers are looked at again. */
const HOLD_MS = 1
/** When no more frames come in, the last block is ours after this time: it is handed over when its timer runs next. */
const DRAIN_MS = 2 * RETIRE_MS + 20
/** The packet clock of a quiet interface runs this much behind, or frames of a block not yet ours would be in its past. */
const CLOCK_LAG_MICROS = 2 * RETIRE_MS * 1000

/**
 * Captures until told to drain (the ring is closed to new frames, then emptied) or to stop (at once).
 *
 * @param counters the worker's CAPTURE_COUNTERS block
 * @throws SystemError when the kernel refuses what it granted before
 */
export function runAfPacket(
  source: AfPacketSource,
  sink: PressedSink,
  control: Control,
  counters: Float64Array,
  post: (message: FromWorker) => void,
): void {
  const capture = new AfPacketCapture(source, sink, counters, post)
  let drainUntil = Number.POSITIVE_INFINITY
  while (control.command !== COMMAND_STOP) {
    control.beat()
    const now = performance.now()
    if (control.command === COMMAND_DRAIN && drainUntil === Number.POSITIVE_INFINITY) {
      capture.closeToNewFrames()
      drainUntil = now + DRAIN_MS
    }
    capture.keepHouse(now)
    if (capture.takeBlocks()) continue
    if (now >= drainUntil) break
    capture.wait(Math.min(POLL_MS, Math.max(1, drainUntil - now)))
  }
  capture.countKernelDrops()
}

/** The rings of one worker. */
class AfPacketCapture {
  readonly #source: AfPacketSource
  readonly #sink: PressedSink
  readonly #counters: Float64Array
  readonly #rings: PacketRing[]
  readonly #watches: InterfaceWatch[]
  readonly #pollFds: DataView
  readonly #pollBytes: Uint8Array
  /** Never woken: only to sleep on. */
  readonly #pause = new Int32Array(new SharedArrayBuffer(4))
  #nextHousekeeping = 0

  constructor(source: AfPacketSource, sink: PressedSink, counters: Float64Array, post: (message: FromWorker) => void) {
    this.#source = source
    this.#sink = sink
    this.#counters = counters
    this.#rings = source.sockets.map((socket) => new PacketRing(socket))
    this.#watches = source.sockets.map((socket) => new InterfaceWatch(socket, sink, counters, post))
    this.#pollFds = new DataView(new ArrayBuffer(source.sockets.length * 8))
    this.#pollBytes = new Uint8Array(this.#pollFds.buffer)
    source.sockets.forEach(({ fd }, position) => {
      this.#pollFds.setInt32(position * 8, fd, true)
      this.#pollFds.setInt16(position * 8 + 4, POLLIN, true)
    })
  }

  /**
   * Takes at most one block from each ring, in turn. While the assemblers are behind, blocks stay with the kernel, whose
   * ring is so much more room; when that runs full, connections are shed.
   *
   * @returns whether there was any
   */
  takeBlocks(): boolean {
    let taken = false
    let held = false
    for (const ring of this.#rings) {
      const bytes = ring.readyBytes
      if (bytes === 0) continue
      const room = this.#sink.hasRoom(bytes)
      if (!room && !ring.crowded) {
        held = true
        continue
      }
      if (!room) this.#sink.press()
      ring.takeBlock(this.#sink)
      taken = true
    }
    if (taken) this.#sink.flush()
    else if (held) Atomics.wait(this.#pause, 0, 0, HOLD_MS)
    return taken || held
  }

  /** Sleeps until there is a block or an error, and lets the packet clock go on. */
  wait(timeoutMs: number): void {
    this.#lookAtInterfaces(timeoutMs)
    this.#sink.time.micros = Date.now() * 1000 - CLOCK_LAG_MICROS
    this.#sink.tick()
    this.#sink.flush()
  }

  #lookAtInterfaces(timeoutMs: number): void {
    const count = this.#watches.length
    const reported = poll(this.#pollBytes, count, timeoutMs)
    for (let position = 0; position < count; position++) {
      const watch = this.#watches[position]!
      watch.check()
      if (reported === 0) continue
      const events = this.#pollFds.getInt16(position * 8 + 6, true)
      if ((events & POLLERR) !== 0) watch.onError()
    }
  }

  /** From here on nothing enters the rings; what is in them stays. */
  closeToNewFrames(): void {
    for (const { fd } of this.#source.sockets) attachFilter(fd, refuseAll)
  }

  /** Once a second, however busy: kernel drops, interfaces that went away or are back. */
  keepHouse(now: number): void {
    if (now < this.#nextHousekeeping) return
    this.#nextHousekeeping = now + HOUSEKEEPING_MS
    this.countKernelDrops()
    this.#lookAtInterfaces(0)
  }

  countKernelDrops(): void {
    for (const { fd } of this.#source.sockets) {
      this.#counters[CAPTURE_COUNTERS.index.kernelDropped]! += takeKernelDrops(fd)
    }
  }
}
