/**
 * Follows an interface that goes down or is deleted while it is captured. A socket stays attached while its interface
 * is down. When a deleted interface is created again under its name, the same socket is bound to the new one, so
 * neither the ring nor the worker changes. Flows of a deleted interface end once its last frames have been read; those
 * of an interface that was only down continue.
 */
import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { findInterface, interfaceAt, type NetworkInterface } from '../../sys/interfaces.ts'
import { hasCode } from '../../sys/system-error.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { FrameSink } from '../frame-sink.ts'
import { LINKTYPE_RAW } from '../wire/link-types.ts'
import type { LentSocket } from '../worker-data.ts'
import { SETTLE_MS } from './ring-geometry.ts'
import type { RingReader } from './ring-reader.ts'
import { bindToInterface, clearError, isAttached, linkTypeOf } from './socket-calls.ts'

const { index: COUNTER } = CAPTURE_COUNTERS

export class InterfaceWatch {
  readonly #socket: LentSocket
  readonly #ring: Pick<RingReader, 'holdsFrames'>
  readonly #sink: FrameSink
  readonly #post: (message: FromWorker) => void
  /** Index of the interface that the socket is bound to. */
  #boundIndex: number
  /** The kernel has reported an error, and the interface is not known to be up again. */
  #suspect = false
  /** The loss has been reported to the supervisor. */
  #lost = false
  /** The interface that the socket is bound to exists, up or down. */
  #attached = true
  /** When its deletion was detected. Milliseconds of `performance.now`. */
  #deletedAt = 0
  /** The flows of the deleted interface have ended. */
  #flowsEnded = false

  constructor(
    socket: LentSocket,
    ring: Pick<RingReader, 'holdsFrames'>,
    sink: FrameSink,
    post: (message: FromWorker) => void,
  ) {
    this.#socket = socket
    this.#ring = ring
    this.#sink = sink
    this.#post = post
    this.#boundIndex = socket.interfaceIndex
  }

  /** Whether the interface was deleted, its flows have ended, and it has not been created again. */
  get flowsEnded(): boolean {
    return this.#flowsEnded
  }

  /** Whether the interface may be down or deleted, so that `check` looks for it. */
  get isSeeking(): boolean {
    return this.#suspect
  }

  /** Handles an error that poll reported on the socket: its interface went down or was deleted. */
  onError(): void {
    clearError(this.#socket.fd)
    // A deletion is first reported as down, so the next check distinguishes the two.
    this.#suspect = this.#boundIndex !== 0
  }

  /** Reports a lost interface, and one that has returned. To be called regularly; costs nothing without an error. */
  check(): void {
    if (!this.#suspect) return
    const { fd, device } = this.#socket
    this.#checkDeletion()
    this.#endFlowsIfDrained()
    // An interface may be renamed while it is captured; only a deleted one is looked up by its name.
    const link = this.#attached ? interfaceAt(fd, this.#boundIndex) : findInterface(fd, device)
    if (this.#attached && link?.up && !this.#lost) this.#suspect = false
    else {
      if (!this.#lost) this.#reportLost()
      if (link?.up && (this.#attached || this.#flowsEnded)) this.#recover(link)
    }
  }

  #reportLost(): void {
    this.#lost = true
    this.#socket.counters[COUNTER.interfacesLost] += 1
    const { interfaceId, device } = this.#socket
    this.#post({ t: 'interfaceLost', interfaceId, name: device, reason: this.#attached ? 'down' : 'deleted' })
  }

  #recover(link: NetworkInterface): void {
    const { fd, device, interfaceId, linkType, promiscuous } = this.#socket
    // The name may now belong to an interface of another kind, such as a tunnel, whose frames this socket cannot read.
    if (linkType !== LINKTYPE_RAW && linkTypeOf(link.hardwareType) !== linkType) return
    if (!this.#attached) {
      if (!bindsTo(fd, link, promiscuous)) return
      this.#boundIndex = link.index
      this.#attached = true
      this.#flowsEnded = false
    }
    this.#lost = false
    this.#suspect = false
    this.#socket.counters[COUNTER.interfacesBack] += 1
    this.#post({ t: 'interfaceBack', interfaceId, name: device })
  }

  #checkDeletion(): void {
    if (!this.#attached || isAttached(this.#socket.fd, this.#boundIndex)) return
    this.#attached = false
    this.#deletedAt = performance.now()
  }

  /**
   * Ends the flows once the ring is empty and no frame can be on its way into it.
   */
  #endFlowsIfDrained(): void {
    if (this.#attached || this.#flowsEnded) return
    if (performance.now() < this.#deletedAt + SETTLE_MS || this.#ring.holdsFrames) return
    this.#flowsEnded = true
    this.#sink.removeInterface(this.#socket.interfaceId)
  }
}

/** @returns false when the interface no longer exists */
function bindsTo(fd: number, link: NetworkInterface, promiscuous: boolean): boolean {
  try {
    bindToInterface(fd, link, promiscuous)
    return true
  } catch (error) {
    if (hasCode(error, 'ENODEV', 'ENETDOWN')) return false
    throw error
  }
}
