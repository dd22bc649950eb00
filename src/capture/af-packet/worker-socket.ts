/** One packet socket as its worker has it: the ring, the watch over its interface, its counters. Capture worker only. */
import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import type { FromWorker } from '../../thread/messages.ts'
import { refuseAll } from '../filter/kernel-filter.ts'
import type { FrameSink } from '../frame-sink.ts'
import type { LentSocket } from '../worker-data.ts'
import { InterfaceWatch } from './interface-watch.ts'
import { RingReader } from './ring-reader.ts'
import { attachFilter, takeKernelDrops } from './socket-calls.ts'

/** A frame that passed the filter before it was replaced has reached the ring by then. */
const SETTLE_MS = 20

export class WorkerSocket {
  readonly fd: number
  readonly interfaceId: number
  /** A CAPTURE_COUNTERS block. */
  readonly counters: Float64Array
  readonly ring: RingReader
  readonly watch: InterfaceWatch
  /** When the ring's last frame is complete, once the socket is being closed. Milliseconds of `performance.now`. */
  closeAt = Number.POSITIVE_INFINITY

  constructor(socket: LentSocket, sink: FrameSink, post: (message: FromWorker) => void) {
    this.fd = socket.fd
    this.interfaceId = socket.interfaceId
    this.counters = socket.counters
    this.ring = new RingReader(socket)
    this.watch = new InterfaceWatch(socket, this.ring, sink, post)
  }

  /** No frame enters the ring from here on. */
  closeToNewFrames(now: number): void {
    attachFilter(this.fd, refuseAll)
    this.closeAt = now + SETTLE_MS
  }

  /** Makes the last block readable once no frame is on its way into it. */
  settle(now: number): void {
    if (now >= this.closeAt) this.ring.finish()
  }

  /** Its last frames are not to wait any longer, whether the assemblers have room or not. */
  isOverdue(now: number): boolean {
    return now >= this.closeAt
  }

  /** Being closed, and empty. */
  isDone(now: number): boolean {
    return now >= this.closeAt && this.ring.readyBytes === 0
  }

  /** Ends its flows. Nothing of it may be used afterwards. */
  end(sink: FrameSink): void {
    this.countKernelDrops()
    if (!this.watch.forgotten) sink.removeInterface(this.interfaceId)
  }

  countKernelDrops(): void {
    this.counters[CAPTURE_COUNTERS.index.kernelDropped] += takeKernelDrops(this.fd)
  }
}
