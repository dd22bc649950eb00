/**
 * What becomes of an interface while it is captured. A plain down and up keeps the socket attached; after the interface
 * was deleted and made again under its name, the same socket is bound to the new one, so neither the ring nor the worker
 * changes. Flows of a deleted interface end once its last frames have been read; those of one that was only down continue.
 */
import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { findInterface, type NetworkInterface } from '../../sys/interfaces.ts'
import { hasCode } from '../../sys/system-error.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { FrameSink } from '../frame-sink.ts'
import { LINKTYPE_RAW } from '../wire/link-types.ts'
import type { LentSocket } from '../worker-data.ts'
import { DRAIN_MS } from './ring-geometry.ts'
import type { RingReader } from './ring-reader.ts'
import { bindToInterface, isAttached, linkTypeOf, takeError } from './socket-calls.ts'

const { index: COUNTER } = CAPTURE_COUNTERS

export class InterfaceWatch {
  readonly #socket: LentSocket
  readonly #ring: Pick<RingReader, 'readyBytes'>
  readonly #sink: FrameSink
  readonly #post: (message: FromWorker) => void
  /** The interface the socket is bound to. */
  #boundIndex: number
  /** The kernel has reported an error, and it is not known yet that all is well again. */
  #troubled = false
  /** The loss has been reported to the supervisor. */
  #lost = false
  /** The interface the socket is bound to is there; up or down. */
  #attached = true
  /** When it was seen to be deleted. Milliseconds of `performance.now`. */
  #deletedAt = 0
  /** Its flows have ended with it. */
  #forgotten = false

  constructor(
    socket: LentSocket,
    ring: Pick<RingReader, 'readyBytes'>,
    sink: FrameSink,
    post: (message: FromWorker) => void,
  ) {
    this.#socket = socket
    this.#ring = ring
    this.#sink = sink
    this.#post = post
    this.#boundIndex = socket.interfaceIndex
  }

  /** From when the interface was deleted, and its flows ended, until it is back. */
  get forgotten(): boolean {
    return this.#forgotten
  }

  /** poll reported an error on the socket: its interface went down or was deleted. */
  onError(): void {
    takeError(this.#socket.fd)
    // A deletion begins as a down: what it is shows at the next check.
    this.#troubled = this.#boundIndex !== 0
  }

  /** Call regularly: reports losses, and checks whether a lost interface is back. Costs nothing while all is well. */
  check(): void {
    if (!this.#troubled) return
    const { fd, device } = this.#socket
    this.#lookForDeletion()
    this.#forgetIfDrained()
    const link = findInterface(fd, device)
    if (this.#attached && link?.up && !this.#lost) this.#troubled = false
    else {
      if (!this.#lost) this.#tellLost()
      if (link?.up && (this.#attached || this.#forgotten)) this.#takeBack(link)
    }
  }

  #tellLost(): void {
    this.#lost = true
    this.#socket.counters[COUNTER.interfacesLost] += 1
    const { interfaceId, device } = this.#socket
    this.#post({ t: 'interfaceLost', interfaceId, name: device, reason: this.#attached ? 'down' : 'deleted' })
  }

  #takeBack(link: NetworkInterface): void {
    const { fd, device, interfaceId, linkType, promiscuous } = this.#socket
    // An Ethernet socket cannot read the frames of a tunnel that has the name now.
    if (linkType !== LINKTYPE_RAW && linkTypeOf(link.hardwareType) !== linkType) return
    if (!this.#attached) {
      if (!bindsTo(fd, link, promiscuous)) return
      this.#boundIndex = link.index
      this.#attached = true
      this.#forgotten = false
    }
    this.#lost = false
    this.#troubled = false
    this.#socket.counters[COUNTER.interfacesBack] += 1
    this.#post({ t: 'interfaceBack', interfaceId, name: device })
  }

  #lookForDeletion(): void {
    if (!this.#attached || isAttached(this.#socket.fd, this.#boundIndex)) return
    this.#attached = false
    this.#deletedAt = performance.now()
  }

  /** The kernel hands over the block it was filling a while after the deletion: flows go on up to its last frame. */
  #forgetIfDrained(): void {
    if (this.#attached || this.#forgotten) return
    if (performance.now() < this.#deletedAt + DRAIN_MS || this.#ring.readyBytes > 0) return
    this.#forgotten = true
    this.#sink.removeInterface(this.#socket.interfaceId)
  }
}

/** @returns false when the interface was deleted again meanwhile */
function bindsTo(fd: number, link: NetworkInterface, promiscuous: boolean): boolean {
  try {
    bindToInterface(fd, link, promiscuous)
    return true
  } catch (error) {
    if (hasCode(error, 'ENODEV', 'ENETDOWN')) return false
    throw error
  }
}
