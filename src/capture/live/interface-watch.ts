/**
 * What becomes of an interface while it is captured. A plain down and up keeps the socket attached; after the interface
 * was deleted and made again under its name, the same socket is bound to the new one, so neither the ring nor the worker
 * changes. Flows of a deleted interface end; those of one that was only down go on.
 */
import { CAPTURE_COUNTERS } from '../../counters.ts'
import type { AfPacketSocket, FromWorker } from '../../messages.ts'
import { findInterface } from '../../sys/interfaces.ts'
import type { FrameSink } from '../frame-sink.ts'
import { bindToInterface, LINKTYPE_RAW, linkTypeOf, takeError } from './packet-socket.ts'

const { index: COUNTER } = CAPTURE_COUNTERS

export class InterfaceWatch {
  readonly #socket: AfPacketSocket
  readonly #sink: FrameSink
  readonly #counters: Float64Array
  readonly #post: (message: FromWorker) => void
  /** The interface the socket is bound to. */
  #boundIndex: number
  #lost = false
  /** The sink knows the interface. */
  #announced = true

  constructor(socket: AfPacketSocket, sink: FrameSink, counters: Float64Array, post: (message: FromWorker) => void) {
    this.#socket = socket
    this.#sink = sink
    this.#counters = counters
    this.#post = post
    this.#boundIndex = socket.interfaceIndex
    sink.addInterface(socket.interfaceId, socket.info)
  }

  /** poll reported an error on the socket: the kernel tells so that its interface went down or away. */
  onError(): void {
    takeError(this.#socket.fd)
    if (this.#lost || this.#boundIndex === 0) return
    const link = findInterface(this.#socket.fd, this.#socket.device)
    if (link?.up && link.index === this.#boundIndex) return
    this.#lost = true
    this.#forgetIfDeleted(link?.index)
    this.#counters[COUNTER.interfacesLost]! += 1
    const reason = this.#announced ? 'down' : 'deleted'
    this.#post({ t: 'interfaceLost', interfaceId: this.#socket.interfaceId, reason })
  }

  /** To be called now and then: looks whether a lost interface is back. Costs nothing while it is not lost. */
  check(): void {
    if (!this.#lost) return
    const { fd, device, interfaceId, info, linkType, promiscuous } = this.#socket
    const link = findInterface(fd, device)
    this.#forgetIfDeleted(link?.index)
    if (link === null || !link.up) return
    // An Ethernet socket cannot take the frames of a tunnel that now has the name.
    if (linkType !== LINKTYPE_RAW && linkTypeOf(link.hardwareType) !== linkType) return
    if (!this.#announced) {
      bindToInterface(fd, link, promiscuous)
      this.#boundIndex = link.index
      this.#announced = true
      this.#sink.addInterface(interfaceId, info)
    }
    this.#lost = false
    this.#counters[COUNTER.interfacesBack]! += 1
    this.#post({ t: 'interfaceBack', interfaceId })
  }

  #forgetIfDeleted(index: number | undefined): void {
    if (index === this.#boundIndex || !this.#announced) return
    this.#announced = false
    this.#sink.removeInterface(this.#socket.interfaceId)
  }
}
