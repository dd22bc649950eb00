/** A packet socket in its worker: the ring, the watch over its interface, its counters. Capture worker only. */
import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import type { FromWorker } from '../../thread/messages.ts'
import { refuseAll } from '../filter/kernel-filter.ts'
import type { FrameSink } from '../frame-sink.ts'
import type { LentSocket } from '../worker-data.ts'
import { InterfaceWatch } from './interface-watch.ts'
import { RingReader } from './ring-reader.ts'
import { attachFilter, readKernelDrops } from './socket-calls.ts'

/** A frame that passed the previous filter has reached the ring after this time. */
const SETTLE_MS = 20

export class WorkerSocket {
  readonly fd: number
  readonly interfaceId: number
  /** A CAPTURE_COUNTERS block. */
  readonly counters: Float64Array
  readonly ring: RingReader
  readonly watch: InterfaceWatch
  /** When a closing socket's last frame is complete. Milliseconds of `performance.now`. */
  closeAt = Number.POSITIVE_INFINITY

  constructor(socket: LentSocket, sink: FrameSink, post: (message: FromWorker) => void) {
    this.fd = socket.fd
    this.interfaceId = socket.interfaceId
    this.counters = socket.counters
    this.ring = new RingReader(socket)
    this.watch = new InterfaceWatch(socket, this.ring, sink, post)
  }

  /** Stops delivery into the ring. */
  closeToNewFrames(now: number): void {
    attachFilter(this.fd, refuseAll)
    this.closeAt = now + SETTLE_MS
  }

  /** Makes the last block readable once no frame can be on its way into it. */
  finishRing(now: number): void {
    if (now >= this.closeAt) this.ring.finish()
  }

  /** Whether its last frames must be delivered even if the assemblers have no room. */
  isOverdue(now: number): boolean {
    return now >= this.closeAt
  }

  /** Whether it is closed to new frames and its ring is empty. */
  isDone(now: number): boolean {
    return now >= this.closeAt && this.ring.readyBytes === 0
  }

  /** Counts its last drops and ends its flows. It must not be used afterwards. */
  end(sink: FrameSink): void {
    this.countKernelDrops()
    if (!this.watch.flowsEnded) sink.removeInterface(this.interfaceId)
  }

  countKernelDrops(): void {
    this.counters[CAPTURE_COUNTERS.index.kernelDropped] += readKernelDrops(this.fd)
  }
}
