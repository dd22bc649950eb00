/** A packet socket as its worker uses it: ring, interface watch and counters. Capture worker only. */
import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { viewMemory } from '../../sys/ffi.ts'
import type { BpfInstruction } from '../../sys/packet.ts'
import { hasCode } from '../../sys/system-error.ts'
import type { FromWorker } from '../../thread/messages.ts'
import { type FilterView, rejectAll } from '../filter/kernel-filter.ts'
import { addShedRule, SHED_SAMPLE_RATE } from '../filter/shed-rule.ts'
import type { FrameSink } from '../frame-sink.ts'
import { KEEP_ALL } from '../intake/flow-shedder.ts'
import { LINKTYPE_RAW } from '../wire/link-types.ts'
import type { LentSocket } from '../worker-data.ts'
import { InterfaceWatch } from './interface-watch.ts'
import { RingDemand } from './ring-demand.ts'
import { SETTLE_MS } from './ring-geometry.ts'
import { RingReader } from './ring-reader.ts'
import { attachFilter, bindToInterface, readKernelDrops } from './socket-calls.ts'

/** Frames in a closed ring wait this long for assemblers that have no room: one that hangs must not delay the end. */
const PATIENCE_MS = 1000
const C = CAPTURE_COUNTERS.index

export class WorkerSocket {
  readonly fd: number
  readonly interfaceId: number
  /** A CAPTURE_COUNTERS block. */
  readonly counters: Float64Array
  readonly ring: RingReader
  readonly watch: InterfaceWatch
  readonly #socket: LentSocket
  readonly #secret: number
  readonly #proxyPort: Int32Array
  readonly #view: FilterView
  #program: readonly BpfInstruction[]
  /** The threshold in the attached filter; KEEP_ALL: none. */
  #kernelKeep = KEEP_ALL
  readonly #demand: RingDemand | null
  /** A block was read since drops were counted last, or a predecessor has left some. */
  #mayHaveDrops = true
  /** The socket of the same interface that must be read to its end before this one; null: none. */
  #predecessor: WorkerSocket | null = null
  /** When the predecessor is closed to new frames. Milliseconds of `performance.now`. */
  #switchAt = 0
  /** Another ring captures the same frames. */
  #overlapped = false
  /** A socket with a larger ring continues the interface. */
  replaced: boolean
  /** When a closing socket's last frame is complete. Milliseconds of `performance.now`. */
  closeAt = Number.POSITIVE_INFINITY

  /** @param secret of the flow hash */
  constructor(socket: LentSocket, secret: number, sink: FrameSink, post: (message: FromWorker) => void) {
    this.#socket = socket
    this.fd = socket.fd
    this.interfaceId = socket.interfaceId
    this.counters = socket.counters
    this.#secret = secret
    this.#program = socket.program
    this.#proxyPort = socket.proxyPort
    this.#view = socket.linkType === LINKTYPE_RAW ? 'cooked' : 'ethernet'
    this.ring = new RingReader(socket, viewMemory(socket.address, socket.blockBytes * socket.blockCount))
    this.replaced = socket.replaced
    this.#demand = socket.mayGrow ? new RingDemand(socket.blockCount) : null
    this.watch = new InterfaceWatch(socket, this.ring, sink, post)
    // A predecessor may have left a filter that sheds.
    if (!socket.closing && !socket.replaced) attachFilter(this.fd, this.#program)
  }

  /** Lets the kernel shed connections whose hash has lower 16 bits at or above `keep`; KEEP_ALL: none. */
  shedInKernel(keep: number): void {
    // The kernel sees a sidecar's replies before their translation is undone, with another hash than the requests'.
    const wanted = this.#proxyPort[0] === 0 ? keep : KEEP_ALL
    if (wanted === this.#kernelKeep || this.closeAt !== Number.POSITIVE_INFINITY) return
    this.#kernelKeep = wanted
    const shedding = wanted === KEEP_ALL ? null : addShedRule(this.#program, this.#view, wanted, this.#secret)
    attachFilter(this.fd, shedding ?? this.#program)
  }

  /** Like `shedInKernel`, but never sheds more than before. */
  shedLessInKernel(keep: number): void {
    if (keep > this.#kernelKeep) this.shedInKernel(keep)
  }

  /** The main thread has attached another filter. */
  setProgram(program: readonly BpfInstruction[]): void {
    const keep = this.#kernelKeep
    this.#program = program
    this.#kernelKeep = KEEP_ALL
    this.shedInKernel(keep)
  }

  /**
   * Continues the interface of a socket with a smaller ring, which is closed to new frames later, in `advance`. Meanwhile both
   * capture: what the first ring delivers is skipped in the second.
   *
   * @throws SystemError
   */
  takeOver(previous: WorkerSocket, now: number): void {
    this.#predecessor = previous
    previous.replaced = true
    const { interfaceIndex, promiscuous } = this.#socket
    try {
      bindToInterface(this.fd, interfaceIndex === 0 ? null : { index: interfaceIndex }, promiscuous)
      this.#switchAt = now + SETTLE_MS
      // From now on this ring receives the frames that the other one drops.
      previous.countKernelDrops()
      previous.#overlapped = true
      previous.ring.beginOverlap(this.ring)
    } catch (error) {
      if (!hasCode(error, 'ENODEV')) throw error
      // The interface has just been deleted: this socket's watch finds that out and waits for its return.
      this.watch.onError()
      previous.closeToNewFrames(now)
    }
  }

  /** Stops delivery into the ring. */
  closeToNewFrames(now: number): void {
    attachFilter(this.fd, rejectAll)
    // A frame that passed the previous filter may still be on its way into the ring.
    this.closeAt = now + SETTLE_MS
  }

  /** Continues a switch, and makes the last block readable once no frame can be on its way into it. */
  advance(now: number): void {
    const previous = this.#predecessor
    if (previous !== null && previous.closeAt === Number.POSITIVE_INFINITY && now >= this.#switchAt) {
      previous.closeToNewFrames(now)
    }
    if (previous?.isDone(now) === true) {
      this.#predecessor = null
      this.ring.endOverlap()
    }
    if (now >= this.closeAt) this.ring.finish()
  }

  /** Whether another socket of its interface must be read to its end first. */
  get waits(): boolean {
    return this.#predecessor !== null
  }

  /** Whether its last frames must be delivered even if the assemblers have no room. */
  isOverdue(now: number): boolean {
    return now >= this.closeAt + PATIENCE_MS
  }

  /** Whether it is closed to new frames and its ring is empty, as is that of its predecessor. */
  isDone(now: number): boolean {
    return now >= this.closeAt && this.ring.readyBytes === 0 && !this.waits
  }

  /**
   * Delivers the ready block.
   *
   * @param now milliseconds of `performance.now`
   * @returns whether the ring has turned out to be too small for the interface's traffic
   */
  deliverBlock(sink: FrameSink, now: number): boolean {
    this.ring.deliverBlock(sink)
    this.#mayHaveDrops = true
    return this.#demand?.addBlock(now) === true && !this.replaced
  }

  /** Counts its last drops and ends its flows, unless another socket continues them. It must not be used afterwards. */
  end(sink: FrameSink): void {
    this.countKernelDrops()
    if (!this.replaced && !this.watch.flowsEnded) sink.removeInterface(this.interfaceId)
  }

  /** Counts frames that the kernel has dropped, and those that it has shed. @returns the former */
  countKernelDrops(): number {
    // Skip the system call for idle rings: only rings whose blocks become ready can have drops or samples.
    if (!this.#mayHaveDrops && this.ring.readyBytes === 0) return 0
    this.#mayHaveDrops = false
    this.counters[C.kernelShed] += SHED_SAMPLE_RATE * this.ring.drainShedSamples()
    if (this.#overlapped) return 0
    const dropped = readKernelDrops(this.fd)
    this.counters[C.kernelDropped] += dropped
    return dropped
  }
}
