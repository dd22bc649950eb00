/**
 * Writes the endpoints of a connection: `client` and `server` with address, port and pod. They are the same for all
 * pairs of a connection, so they are encoded once into a slot and copied from there.
 *
 * A flow's slot is its place in the flow table modulo the number of slots; a flow that finds another one's endpoints
 * there replaces them. Invariant: a slot names an open flow, or none.
 */
import { copy } from '../../../wasm/copy'
import { Region } from '../memory/regions'
import { Direction, Flow, indexOf } from '../tcp/flow'
import { addressWord, isIpv6, portOf } from '../tcp/flow-table'
import { writeIpv4, writeIpv6 } from './addresses'
import { Part } from './parts'

/** Connections whose endpoints are kept encoded. A power of two. */
export const ENDS_SLOTS: u32 = 2048
const NIL: u8 = 0xc0
/** Shorter strings have a header of one byte, others of two. */
const SHORT_STRING: usize = 32

/** What a slot holds: the flow, or 0, the length of the whole, the offset of the server's part, the bytes. */
@unmanaged
class Slot {
  flow: usize
  length: usize
  serverAt: usize
}
const BYTES_AT: usize = (offsetof<Slot>() + 7) & ~7
/** Two endpoints without pods, the keys around them, and slack for copies in steps of 16 bytes. */
export const ENDS_SLOT_BYTES: usize = 208

/** Writes client, server and the key of the request. @returns the address after it */
export function writeEnds(to: usize, flow: Flow): usize {
  const slot = slotAt(indexOf(flow))
  if (slot.flow !== changetype<usize>(flow)) encode(slot, flow)
  const from = changetype<usize>(slot) + BYTES_AT
  if ((flow.clientPod | flow.serverPod) !== 0) return withPods(to, from, slot.serverAt, slot.length, flow)
  copy(to, from, slot.length)
  return to + slot.length
}

/** The connection is over: its record may be used for another one. */
export function forgetEnds(flow: Flow): void {
  const slot = slotAt(indexOf(flow))
  if (slot.flow === changetype<usize>(flow)) slot.flow = 0
}

/** Empties all slots: an assembler begins (layout.ts). */
export function openEnds(): void {
  for (let i: u32 = 0; i < ENDS_SLOTS; i++) slotAt(i).flow = 0
}

/** @param index of a flow */
function slotAt(index: u32): Slot {
  return changetype<Slot>(Region.ends + <usize>(index & (ENDS_SLOTS - 1)) * ENDS_SLOT_BYTES)
}

/** Writes the encoded parts with the pods between them. */
function withPods(to: usize, from: usize, serverAt: usize, length: usize, flow: Flow): usize {
  copy(to, from, serverAt - 1)
  const server = writePod(to + serverAt - 1, flow.clientPod)
  const serverBytes = length - serverAt - Part.requestBytes - 1
  copy(server, from + serverAt, serverBytes)
  const request = writePod(server + serverBytes, flow.serverPod)
  copy(request, Part.request, Part.requestBytes)
  return request + Part.requestBytes
}

/** @param pod address of its length and its bytes, or 0 */
function writePod(to: usize, pod: usize): usize {
  if (pod === 0) {
    store<u8>(to, NIL)
    return to + 1
  }
  const length = load<usize>(pod)
  copy(to, pod + 4, length)
  return to + length
}

function encode(slot: Slot, flow: Flow): void {
  const start = changetype<usize>(slot) + BYTES_AT
  const client: Direction = flow.client
  let at = writeEnd(start, flow, client)
  store<u8>(at++, NIL)
  slot.serverAt = at - start
  copy(at, Part.server, Part.serverBytes)
  at = writeEnd(at + Part.serverBytes, flow, 1 - client)
  store<u8>(at++, NIL)
  copy(at, Part.request, Part.requestBytes)
  slot.length = at + Part.requestBytes - start
  slot.flow = changetype<usize>(flow)
}

/** Encodes one endpoint up to the key of its pod. */
function writeEnd(to: usize, flow: Flow, direction: Direction): usize {
  copy(to, Part.endpoint, Part.endpointBytes)
  const header = to + Part.endpointBytes
  // Written after a one-byte header. Only a long IPv6 address needs the longer header, and is moved to make room.
  const text = header + 1
  const first = addressWord(flow, direction, 0)
  const end = isIpv6(flow)
    ? writeIpv6(
        text,
        first,
        addressWord(flow, direction, 1),
        addressWord(flow, direction, 2),
        addressWord(flow, direction, 3),
      )
    : writeIpv4(text, first)
  const length = end - text
  let at = end
  if (length < SHORT_STRING) store<u8>(header, 0xa0 | <u8>length)
  else {
    memory.copy(text + 1, text, length)
    store<u8>(header, 0xd9)
    store<u8>(header, <u8>length, 1)
    at++
  }
  copy(at, Part.port, Part.portBytes)
  store<u16>(at + Part.portAt, bswap<u16>(<u16>portOf(flow, direction)))
  return at + Part.portBytes
}
