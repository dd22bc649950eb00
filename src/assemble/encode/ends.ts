/**
 * Writes the endpoints of a connection: `client` and `server` with address, port and pod. They are the same for all
 * pairs of a connection, so they are encoded once into a slot and copied from there.
 *
 * A flow's slot is its index modulo the number of slots; a flow that finds another one's endpoints there replaces them.
 */
import type { Arena } from '../memory/arena.ts'
import { ENDS_SLOT_BYTES, ENDS_SLOTS } from '../memory/arena.ts'
import type { Direction, Flow } from '../tcp/flow.ts'
import type { FlowTable } from '../tcp/flow-table.ts'
import { ADDRESS_BYTES, AddressWriter } from './address-writer.ts'
import { fixmap, key, type Template, template, uint } from './templates.ts'

const NIL = [0xc0]
const ENDPOINT = template(fixmap(3), key('address'))
const PORT = template(key('port'), uint(0, 2), key('pod'))
/** Keys that follow the client's pod and the server's pod. */
const SERVER = template(key('server'))
const REQUEST = template(key('request'))
const PORT_VALUE = key('port').length + 1
/** Shorter strings have a header of one byte, others of two. */
const SHORT_STRING = 32

/** Bytes used of a slot at most: two endpoints without pods, the keys around them, and slack for copies by words. */
const LONGEST =
  2 * (ENDPOINT.length + 2 + ADDRESS_BYTES + PORT.length + NIL.length) + SERVER.length + REQUEST.length + 16

export class Ends {
  readonly #arena: Arena
  readonly #flows: FlowTable
  readonly #addresses: AddressWriter
  readonly #endpoint: Template
  readonly #port: Template
  readonly #server: Template
  readonly #request: Template
  /** Per slot: the serial number of its connection, the offset of the server's part, and the length of the whole. */
  readonly #owners = new Int32Array(ENDS_SLOTS)
  readonly #serverAt = new Uint8Array(ENDS_SLOTS)
  readonly #lengths = new Uint8Array(ENDS_SLOTS)

  constructor(arena: Arena, flows: FlowTable) {
    if (LONGEST > ENDS_SLOT_BYTES) throw new RangeError('the ends of a connection do not fit their slot')
    this.#arena = arena
    this.#flows = flows
    this.#addresses = new AddressWriter(arena)
    const keep = (content: Uint8Array): Template => ({ at: arena.addTemplate(content), length: content.length })
    this.#endpoint = keep(ENDPOINT)
    this.#port = keep(PORT)
    this.#server = keep(SERVER)
    this.#request = keep(REQUEST)
  }

  /** Writes client, server and the key of the request. @returns the address after it */
  write(to: number, flow: Flow): number {
    const slot = flow.index & (ENDS_SLOTS - 1)
    const from = this.#arena.ends + slot * ENDS_SLOT_BYTES
    if (this.#owners[slot] !== flow.serial) this.#encode(slot, from, flow)
    const length = this.#lengths[slot]
    if (flow.clientPod === null && flow.serverPod === null) {
      this.#arena.copy(to, from, length)
      return to + length
    }
    return this.#withPods(to, from, this.#serverAt[slot], length, flow)
  }

  /** Writes the encoded parts with the pods between them. */
  #withPods(to: number, from: number, serverAt: number, length: number, flow: Flow): number {
    const arena = this.#arena
    arena.copy(to, from, serverAt - 1)
    const server = this.#pod(to + serverAt - 1, flow.clientPod)
    const serverBytes = length - serverAt - REQUEST.length - 1
    arena.copy(server, from + serverAt, serverBytes)
    return this.#put(this.#request, this.#pod(server + serverBytes, flow.serverPod))
  }

  #pod(to: number, pod: Uint8Array | null): number {
    if (pod === null) {
      this.#arena.bytes[to] = NIL[0]
      return to + 1
    }
    this.#arena.bytes.set(pod, to)
    return to + pod.length
  }

  #encode(slot: number, start: number, flow: Flow): void {
    const client = flow.clientDirection as Direction
    const { bytes } = this.#arena
    let at = this.#end(start, flow, client)
    bytes[at++] = NIL[0]
    this.#serverAt[slot] = at - start
    at = this.#end(this.#put(this.#server, at), flow, (1 - client) as Direction)
    bytes[at++] = NIL[0]
    this.#lengths[slot] = this.#put(this.#request, at) - start
    this.#owners[slot] = flow.serial
  }

  /** Encodes one endpoint up to the key of its pod. */
  #end(to: number, flow: Flow, direction: Direction): number {
    const arena = this.#arena
    const flows = this.#flows
    const at = this.#put(this.#endpoint, to)
    // Written after a one-byte header. Only a long IPv6 address needs the longer header, and is moved to make room.
    const text = at + 1
    const end = flows.isIpv6(flow)
      ? this.#addresses.ipv6(
          text,
          flows.addressWord(flow, direction, 0),
          flows.addressWord(flow, direction, 1),
          flows.addressWord(flow, direction, 2),
          flows.addressWord(flow, direction, 3),
        )
      : this.#addresses.ipv4(text, flows.addressWord(flow, direction, 0))
    const length = end - text
    let portAt = end
    if (length < SHORT_STRING) arena.bytes[at] = 0xa0 | length
    else {
      arena.bytes.copyWithin(text + 1, text, end)
      arena.bytes[at] = 0xd9
      arena.bytes[at + 1] = length
      portAt++
    }
    const after = this.#put(this.#port, portAt)
    arena.view.setUint16(portAt + PORT_VALUE, flows.port(flow, direction))
    return after
  }

  #put(part: Template, to: number): number {
    this.#arena.copy(to, part.at, part.length)
    return to + part.length
  }
}
