/**
 * Finds a segment's flow by network domain, virtual network, addresses and ports; holds at most `capacity` flows.
 *
 * The state of a flow at rest is in typed arrays, by its index; only active flows are objects (see ActiveFlows). Of the two
 * ends of a connection, the endpoint that sorts lower by (address, port) is A; stream 0 runs from A to B, stream 1 from B to A.
 *
 * Equal addresses and ports in two virtual networks (VLANs, overlays) are two flows, but one connection captured at two
 * points, inside a VLAN and outside it, is one flow: `join` makes `find` return it for a second network as well.
 *
 * At capacity the caller evicts what is least likely to carry another pair: `oldestClosed` first, then `leastLikely`.
 */
import type { Arena } from '../memory/arena.ts'
import type { PacketTime } from '../packet-time.ts'
import { ActiveFlows } from './active-flows.ts'
import { type Direction, FLOW_CLOSED, type Flow, PROTOCOL_HTTP1 } from './flow.ts'
import { RECORD_WORDS } from './flow-record.ts'
import { Links, NO_FLOW, RecencyList } from './recency-list.ts'
import { TupleHash } from './tuple-hash.ts'

/**
 * Words of a probe: domain and IP version, ports, the first word of address A and of address B, which is all of an IPv4
 * address, their other words; then the virtual network, and another one in which the same connection was seen (the same
 * again: none). The bucket depends on the words before the network. A key has the same words in two arrays, so that the
 * other words of addresses use memory for IPv6 only.
 */
const PROBE_WORDS = 12
const TAG = 0
const PORTS = 1
const ADDRESS_A = 2
const ADDRESS_B = 3
const TAIL_A = 4
const TAIL_B = 7
const IPV4_WORDS = 4
const NETWORK = 10
const ALSO_IN = 11
/** The words of a key that every connection has; its networks are behind the first words of the addresses. */
const KEY_WORDS = 6
const KEY_NETWORK = 4
const KEY_ALSO_IN = 5
const TAIL_WORDS = NETWORK - TAIL_A
/** Bytes that each connection needs: record, key, tail, hash, chain, bucket, links, list, two times (see the constructor). */
export const FLOW_BYTES = 4 * (RECORD_WORDS + KEY_WORDS + TAIL_WORDS) + 4 + 4 + 8 + 8 + 1 + 16

/** The lists that a connection may be in. */
const UNPROVEN = 0
const PROVEN = 1
const CLOSED = 2
/** Flows between the same ends in different virtual networks. Beyond that the one idle longest is evicted, which keeps chains short. */
const MAX_NETWORKS = 16
/** Objects of connections at rest that are kept for their next segments. */
const RESTING_OBJECTS = 4096
/** Flows move to the front of the recency list at most this often, so that not every segment of a busy flow writes it. */
const TOUCH_MICROS = 1_000_000

export class FlowTable {
  /** Set by `find`: the direction of the segment looked up. */
  direction: Direction = 0
  /** Keys that all lookups have compared: what a test of their cost counts. */
  visits = 0
  /** Set by a `find` without result: open and closed flows between the same ends in other virtual networks. */
  elsewhere: readonly Flow[] = NO_FLOWS
  /** Which flows are objects. */
  readonly active: ActiveFlows
  readonly #elsewhere: Flow[] = []
  readonly #arena: Arena
  readonly #time: PacketTime
  readonly #capacity: number
  readonly #keys: Int32Array
  readonly #tails: Int32Array
  /** By flow: the hash that chooses its bucket, and the next one of the bucket plus one, or 0. */
  readonly #hashes: Int32Array
  readonly #chain: Int32Array
  /** The first flow of each bucket plus one, or 0. */
  readonly #buckets: Int32Array
  /** By flow: packet time of its last segment, not before the clock; and when it was last moved to the front of its list. */
  readonly #lastMicros: Float64Array
  readonly #touchedMicros: Float64Array
  readonly #lists: Uint8Array
  readonly #list: readonly [RecencyList, RecencyList, RecencyList]
  readonly #links: Links
  readonly #probe = new Int32Array(PROBE_WORDS)
  /** Of the probe: the hash that chooses its bucket, and the connection's own. */
  #probeHash = 0
  #probeKey = 0
  readonly #tupleHash = new TupleHash(NETWORK)
  /** Indices that were used before, linked by `#chain`, plus one; then those from `#untouched` on. */
  #free = 0
  #untouched = 0
  #size = 0
  #serial = 0

  /**
   * Allocates all memory at once. The system provides pages of it when they are first used, and indices are reused.
   *
   * @param capacity maximum number of flows, closed ones that linger included
   * @param most flows that may be objects at the same time; @param resting those of them that may be at rest
   */
  constructor(arena: Arena, time: PacketTime, capacity: number, most: number, resting = RESTING_OBJECTS) {
    this.#arena = arena
    this.#time = time
    this.#capacity = capacity
    this.active = new ActiveFlows(capacity, Math.min(resting, most >> 1), most)
    this.#keys = new Int32Array(capacity * KEY_WORDS)
    this.#tails = new Int32Array(capacity * TAIL_WORDS)
    this.#hashes = new Int32Array(capacity)
    this.#chain = new Int32Array(capacity)
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(capacity)))
    this.#lastMicros = new Float64Array(capacity)
    this.#touchedMicros = new Float64Array(capacity)
    this.#lists = new Uint8Array(capacity)
    this.#links = new Links(capacity)
    this.#list = [new RecencyList(this.#links), new RecencyList(this.#links), new RecencyList(this.#links)]
  }

  get size(): number {
    return this.#size
  }

  get full(): boolean {
    return this.#size >= this.#capacity
  }

  /** The flow with this index. */
  at(index: number): Flow {
    return this.active.at(index)
  }

  /** Packet time of a flow's last segment. */
  lastMicros(index: number): number {
    return this.#lastMicros[index]
  }

  /** Index of the open flow that has been idle longest, of those that carry HTTP/1 or of the others; NO_FLOW: none. */
  oldestOpen(proven: boolean): number {
    return this.#list[proven ? PROVEN : UNPROVEN].oldest
  }

  /**
   * Index of the open flow to evict: of those that are not known to carry HTTP/1 the one that has been idle longest, unless these are so few that
   * new connections would not last until their first request. NO_FLOW: none.
   */
  get leastLikely(): number {
    const { oldest, size } = this.#list[UNPROVEN]
    const proven = this.#list[PROVEN].oldest
    return size > this.#capacity >> 3 || proven === NO_FLOW ? oldest : proven
  }

  /** Index of the closed flow that closed first, of those that linger. NO_FLOW: none. */
  get oldestClosed(): number {
    return this.#list[CLOSED].oldest
  }

  /**
   * Looks up the flow of the segment whose IP header is at `ip` and TCP header at `tcp`.
   *
   * @param domain network namespace that the frame was captured in, a uint16
   * @param network virtual network of the packet, an int32
   * @param hash the frame's symmetric flow hash, which does not depend on the network
   * @returns the flow, or null; `add` then adds it. Sets `direction` either way.
   */
  find(ip: number, tcp: number, domain: number, network: number, hash: number): Flow | null {
    this.#readKey(ip, tcp, domain)
    this.elsewhere = NO_FLOWS
    this.#probe[NETWORK] = network
    this.#probe[ALSO_IN] = network
    this.#probeKey = mix(hash, domain)
    const keys = this.#keys
    const probe = this.#probe
    const version6 = (probe[TAG] & 1) !== 0
    const bucket = this.#tupleHash.of(probe, version6 ? NETWORK : IPV4_WORDS)
    this.#probeHash = bucket
    for (let i = this.#buckets[bucket & (this.#buckets.length - 1)] - 1; i >= 0; i = this.#chain[i] - 1) {
      this.visits++
      const key = i * KEY_WORDS
      if (keys[key + PORTS] !== probe[PORTS] || keys[key + ADDRESS_A] !== probe[ADDRESS_A]) continue
      if (keys[key + ADDRESS_B] !== probe[ADDRESS_B] || keys[key + TAG] !== probe[TAG]) continue
      if (version6 && !sameTail(this.#tails, i * TAIL_WORDS, probe)) continue
      if (keys[key + KEY_NETWORK] === network || keys[key + KEY_ALSO_IN] === network) {
        this.elsewhere = NO_FLOWS
        return this.active.at(i)
      }
      this.#addElsewhere(this.active.at(i))
    }
    return null
  }

  /** Whether one of `elsewhere` has to be removed before another flow between the same ends is added. */
  get crowded(): boolean {
    return this.elsewhere.length >= MAX_NETWORKS
  }

  /** The segment that the last `find` did not find is one of this flow, captured at another point. */
  join(flow: Flow): void {
    const keys = this.#keys
    const key = flow.index * KEY_WORDS
    if (keys[key + KEY_ALSO_IN] === keys[key + KEY_NETWORK]) keys[key + KEY_ALSO_IN] = this.#probe[NETWORK]
  }

  /** Adds the flow that the last `find` did not find. The table must not be full. */
  add(interfaceId: number): Flow {
    const index = this.#free !== 0 ? this.#free - 1 : this.#untouched++
    if (this.#free !== 0) this.#free = this.#chain[index]
    const flow = this.active.add(index)
    this.#hashes[index] = this.#probeHash
    const bucket = this.#probeHash & (this.#buckets.length - 1)
    this.#chain[index] = this.#buckets[bucket]
    this.#buckets[bucket] = index + 1
    this.#size++
    this.#begin(flow, this.#probeKey, interfaceId)
    return flow
  }

  /** Removes a flow; its index will be used for another connection. */
  remove(index: number): void {
    const bucket = this.#hashes[index] & (this.#buckets.length - 1)
    const chain = this.#chain
    if (this.#buckets[bucket] === index + 1) this.#buckets[bucket] = chain[index]
    else {
      let i = this.#buckets[bucket] - 1
      while (chain[i] !== index + 1) i = chain[i] - 1
      chain[i] = chain[index]
    }
    this.#listOf(index).unlink(index)
    this.active.remove(index)
    chain[index] = this.#free
    this.#free = index + 1
    this.#size--
  }

  /** Marks a flow as closed. It stays in the table, so that late segments find it. */
  close(flow: Flow): void {
    flow.state = FLOW_CLOSED
    this.#move(flow.index, CLOSED)
  }

  /** Starts a new connection on the tuple of a closed flow, in the network of the segment last looked up. */
  reopen(flow: Flow, interfaceId: number): void {
    this.#listOf(flow.index).unlink(flow.index)
    this.#begin(flow, flow.hash, interfaceId)
  }

  /** Records activity of an open flow. */
  touch(flow: Flow): void {
    const { start } = this.#time
    const { index } = flow
    flow.recent = true
    this.#lastMicros[index] = start
    const list = flow.protocol === PROTOCOL_HTTP1 ? PROVEN : UNPROVEN
    const since = start - this.#touchedMicros[index]
    if (list === this.#lists[index] && since < TOUCH_MICROS && since >= 0) return
    this.#touchedMicros[index] = start
    this.#move(index, list)
  }

  /** Makes a flow the newest of its list, as of the clock, because it had a stray timestamp. */
  restamp(index: number): void {
    this.#lastMicros[index] = this.#time.clock
    this.#touchedMicros[index] = this.#time.clock
    this.#move(index, this.#lists[index])
  }

  /** Whether the flow's addresses are IPv6. */
  isIpv6(flow: Flow): boolean {
    return (this.#keys[flow.index * KEY_WORDS + TAG] & 1) !== 0
  }

  /** Port of the endpoint that sends on `direction`. */
  port(flow: Flow, direction: Direction): number {
    const ports = this.#keys[flow.index * KEY_WORDS + PORTS]
    return direction === 0 ? ports >>> 16 : ports & 0xffff
  }

  /** Word `word` (0 to 3, big-endian value) of the address that sends on `direction`; IPv4 is word 0 alone. */
  addressWord(flow: Flow, direction: Direction, word: number): number {
    if (word === 0) return this.#keys[flow.index * KEY_WORDS + ADDRESS_A + direction * (ADDRESS_B - ADDRESS_A)]
    return this.#tails[flow.index * TAIL_WORDS + word - 1 + direction * (TAIL_B - TAIL_A)]
  }

  /** Calls `visit` for every open flow, oldest first; `visit` may close or remove the flow it is given. */
  eachOpen(visit: (flow: Flow) => void): void {
    for (const list of [UNPROVEN, PROVEN]) {
      for (let index = this.#list[list].oldest; index !== NO_FLOW; ) {
        const next = this.#links.newer[index]
        this.active.settle()
        visit(this.active.at(index))
        index = next
      }
    }
  }

  #addElsewhere(flow: Flow): void {
    if (this.elsewhere === NO_FLOWS) {
      this.#elsewhere.length = 0
      this.elsewhere = this.#elsewhere
    }
    this.#elsewhere.push(flow)
  }

  /** A connection begins, between the ends last looked up. The flow is in no list. */
  #begin(flow: Flow, hash: number, interfaceId: number): void {
    const { index } = flow
    const { start } = this.#time
    const probe = this.#probe
    const keys = this.#keys
    const key = index * KEY_WORDS
    for (let i = 0; i < TAIL_A; i++) keys[key + i] = probe[i]
    keys[key + KEY_NETWORK] = probe[NETWORK]
    keys[key + KEY_ALSO_IN] = probe[ALSO_IN]
    if ((probe[TAG] & 1) !== 0)
      for (let i = 0; i < TAIL_WORDS; i++) this.#tails[index * TAIL_WORDS + i] = probe[TAIL_A + i]
    // Never 0, which means: of no connection.
    this.#serial = (this.#serial + 1) | 0 || 1
    flow.open(hash, interfaceId, this.#serial)
    this.#lastMicros[index] = start
    this.#touchedMicros[index] = start
    this.#lists[index] = UNPROVEN
    this.#list[UNPROVEN].push(index)
  }

  #readKey(ip: number, tcp: number, domain: number): void {
    const view = this.#arena.view
    const probe = this.#probe
    const sourcePort = view.getUint16(tcp)
    const targetPort = view.getUint16(tcp + 2)
    if (view.getUint8(ip) >>> 4 === 4) {
      if ((probe[TAG] & 1) !== 0) probe.fill(0, TAIL_A, NETWORK)
      const source = view.getInt32(ip + 12)
      const target = view.getInt32(ip + 16)
      const order = source === target ? sourcePort - targetPort : source - target
      this.direction = order <= 0 ? 0 : 1
      probe[TAG] = domain << 1
      probe[ADDRESS_A] = order <= 0 ? source : target
      probe[ADDRESS_B] = order <= 0 ? target : source
    } else {
      let order = 0
      for (let i = 0; i < 16 && order === 0; i += 4) order = view.getInt32(ip + 8 + i) - view.getInt32(ip + 24 + i)
      if (order === 0) order = sourcePort - targetPort
      this.direction = order <= 0 ? 0 : 1
      const a = ip + (order <= 0 ? 8 : 24)
      const b = ip + (order <= 0 ? 24 : 8)
      probe[TAG] = (domain << 1) | 1
      probe[ADDRESS_A] = view.getInt32(a)
      probe[ADDRESS_B] = view.getInt32(b)
      for (let i = 0; i < 3; i++) {
        probe[TAIL_A + i] = view.getInt32(a + 4 + i * 4)
        probe[TAIL_B + i] = view.getInt32(b + 4 + i * 4)
      }
    }
    probe[PORTS] = this.direction === 0 ? (sourcePort << 16) | targetPort : (targetPort << 16) | sourcePort
  }

  #listOf(index: number): RecencyList {
    return this.#list[this.#lists[index]]
  }

  /** Makes a flow the newest of a list. */
  #move(index: number, list: number): void {
    this.#listOf(index).unlink(index)
    this.#lists[index] = list
    this.#list[list].push(index)
  }
}

const NO_FLOWS: readonly Flow[] = []

/** The high bits of the steering hash chose this assembler; the domain separates equal tuples of two namespaces. */
function mix(hash: number, domain: number): number {
  const mixed = Math.imul(hash ^ Math.imul(domain, 0x9e3779b1), 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}

function sameTail(tails: Int32Array, tail: number, probe: Int32Array): boolean {
  for (let i = 0; i < TAIL_WORDS; i++) if (tails[tail + i] !== probe[TAIL_A + i]) return false
  return true
}
