/**
 * Finds a segment's flow by network domain, virtual network, addresses and ports; holds at most `capacity` flows.
 *
 * Keys are stored inline in one Int32Array, buckets and chains in two more, so a lookup touches no object but the flow it
 * finds. The endpoint that sorts lower by (address, port) is A; stream 0 runs from A to B, stream 1 from B to A.
 *
 * Equal addresses and ports in two virtual networks (VLANs, overlays) are two flows, but one connection captured at two
 * points, inside a VLAN and outside it, is one flow: `join` makes `find` return it for a second network as well.
 *
 * At capacity the caller evicts what is least likely to carry another pair: `oldestClosed` first, then `leastLikely`.
 */
import type { Arena } from '../memory/arena.ts'
import type { PacketTime } from '../packet-time.ts'
import { type Direction, FLOW_CLOSED, FLOW_OPEN, Flow, PROTOCOL_HTTP1 } from './flow.ts'
import { TupleHash } from './tuple-hash.ts'

/**
 * Words of a key: domain and IP version, ports, the first word of address A and of address B, which is all of an IPv4
 * address, their other words; then the virtual network, and another one in which the same connection was seen (the same
 * again: none). The bucket depends on the words before the network.
 */
const KEY_WORDS = 12
const TAG = 0
const PORTS = 1
const ADDRESS_A = 2
const ADDRESS_B = 3
const TAIL_A = 4
const TAIL_B = 7
const IPV4_WORDS = 4
const NETWORK = 10
const ALSO_IN = 11
const NONE = -1
/** Flows between the same ends in different virtual networks. Beyond it the idlest is evicted, which keeps chains short. */
const MAX_NETWORKS = 16
/** Flows move to the front of the recency list at most this often, so that not every segment of a busy flow writes it. */
const TOUCH_MICROS = 1_000_000

/** Flows in order of their last move, linked through the flows themselves. A flow is in at most one list. */
class RecencyList {
  size = 0
  newest: Flow | null = null
  oldest: Flow | null = null

  /** Adds a flow that is in no list, as the newest. */
  push(flow: Flow): void {
    this.size++
    flow.older = this.newest
    flow.newer = null
    if (this.newest !== null) this.newest.newer = flow
    else this.oldest = flow
    this.newest = flow
  }

  unlink(flow: Flow): void {
    this.size--
    if (flow.newer !== null) flow.newer.older = flow.older
    else this.newest = flow.older
    if (flow.older !== null) flow.older.newer = flow.newer
    else this.oldest = flow.newer
    flow.newer = null
    flow.older = null
  }
}

export class FlowTable {
  /** Set by `find`: the direction of the segment looked up. */
  direction: Direction = 0
  /** Flows that all lookups have compared: what a test of their cost counts. */
  visits = 0
  /** Set by a `find` without result: open and closed flows between the same ends in other virtual networks. */
  elsewhere: readonly Flow[] = NO_FLOWS
  readonly #elsewhere: Flow[] = []
  readonly #arena: Arena
  readonly #time: PacketTime
  readonly #capacity: number
  readonly #flows: Flow[] = []
  #keys = new Int32Array(256 * KEY_WORDS)
  #chain = new Int32Array(256)
  #buckets = new Int32Array(1024).fill(NONE)
  /** By flow: the hash that chooses its bucket. */
  #hashes = new Int32Array(256)
  readonly #probe = new Int32Array(KEY_WORDS)
  /** Of the probe: the hash that chooses its bucket, and the connection's own. */
  #probeHash = 0
  #probeKey = 0
  readonly #tupleHash = new TupleHash(NETWORK)
  #free: Flow | null = null
  #size = 0
  #serial = 0
  /** Open flows that carry HTTP/1 as far as known, and the others. */
  readonly #proven = new RecencyList()
  readonly #unproven = new RecencyList()
  readonly #closed = new RecencyList()

  /** @param capacity maximum number of flows, closed ones that linger included */
  constructor(arena: Arena, time: PacketTime, capacity: number) {
    this.#arena = arena
    this.#time = time
    this.#capacity = capacity
  }

  get size(): number {
    return this.#size
  }

  get full(): boolean {
    return this.#size >= this.#capacity
  }

  /** The flow with this `index`. */
  at(index: number): Flow {
    return this.#flows[index]
  }

  /** The open flow that has been idle longest, of those that carry HTTP/1 or of the others. */
  oldestOpen(proven: boolean): Flow | null {
    return (proven ? this.#proven : this.#unproven).oldest
  }

  /**
   * The open flow to evict: the idlest of those that are not known to carry HTTP/1, unless these are so few that new
   * connections would not last until their first request.
   */
  get leastLikely(): Flow | null {
    const { oldest, size } = this.#unproven
    return size > this.#capacity >> 3 ? oldest : (this.#proven.oldest ?? oldest)
  }

  /** Of the closed flows that linger, the one that closed first. */
  get oldestClosed(): Flow | null {
    return this.#closed.oldest
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
    for (let i = this.#buckets[bucket & (this.#buckets.length - 1)]; i !== NONE; i = this.#chain[i]) {
      this.visits++
      const key = i * KEY_WORDS
      if (keys[key + PORTS] !== probe[PORTS] || keys[key + ADDRESS_A] !== probe[ADDRESS_A]) continue
      if (keys[key + ADDRESS_B] !== probe[ADDRESS_B] || keys[key + TAG] !== probe[TAG]) continue
      if (version6 && !sameTail(keys, key, probe)) continue
      if (keys[key + NETWORK] === network || keys[key + ALSO_IN] === network) {
        this.elsewhere = NO_FLOWS
        return this.#flows[i]
      }
      this.#addElsewhere(this.#flows[i])
    }
    return null
  }

  /** Whether one of `elsewhere` has to be removed before another flow between the same ends is added. */
  get crowded(): boolean {
    return this.elsewhere.length >= MAX_NETWORKS
  }

  /** The segment that the last `find` did not find is one of this flow, captured at another point. */
  join(flow: Flow): void {
    const key = flow.index * KEY_WORDS
    if (this.#keys[key + ALSO_IN] === this.#keys[key + NETWORK]) this.#keys[key + ALSO_IN] = this.#probe[NETWORK]
  }

  /** Adds the flow that the last `find` did not find. The table must not be full. */
  add(interfaceId: number): Flow {
    let flow = this.#free
    if (flow !== null) this.#free = flow.older
    else flow = this.#grow()
    flow.open(this.#probeKey, interfaceId, this.#time.start, this.#nextSerial())
    this.#keys.set(this.#probe, flow.index * KEY_WORDS)
    this.#hashes[flow.index] = this.#probeHash
    const bucket = this.#probeHash & (this.#buckets.length - 1)
    this.#chain[flow.index] = this.#buckets[bucket]
    this.#buckets[bucket] = flow.index
    this.#size++
    this.#unproven.push(flow)
    return flow
  }

  /** Removes the flow; the object will be used for another connection. */
  remove(flow: Flow): void {
    const bucket = this.#hashes[flow.index] & (this.#buckets.length - 1)
    const chain = this.#chain
    if (this.#buckets[bucket] === flow.index) this.#buckets[bucket] = chain[flow.index]
    else {
      let i = this.#buckets[bucket]
      while (chain[i] !== flow.index) i = chain[i]
      chain[i] = chain[flow.index]
    }
    this.#listOf(flow).unlink(flow)
    flow.older = this.#free
    this.#free = flow
    this.#size--
  }

  /** Marks a flow as closed. It stays in the table, so that late segments find it. */
  close(flow: Flow): void {
    this.#listOf(flow).unlink(flow)
    flow.state = FLOW_CLOSED
    this.#closed.push(flow)
  }

  /** Starts a new connection on the tuple of a closed flow, in the network of the segment last looked up. */
  reopen(flow: Flow, interfaceId: number): void {
    this.#listOf(flow).unlink(flow)
    this.#keys.set(this.#probe, flow.index * KEY_WORDS)
    flow.open(flow.hash, interfaceId, this.#time.start, this.#nextSerial())
    this.#unproven.push(flow)
  }

  /** Records activity of an open flow. */
  touch(flow: Flow): void {
    const { start } = this.#time
    flow.lastMicros = start
    const proven = flow.protocol === PROTOCOL_HTTP1
    if (proven === flow.proven && start - flow.touchedMicros < TOUCH_MICROS && start >= flow.touchedMicros) return
    flow.touchedMicros = start
    this.#listOf(flow).unlink(flow)
    flow.proven = proven
    this.#listOf(flow).push(flow)
  }

  /** Makes a flow the newest of its list, as of the clock, because it had a stray timestamp. */
  restamp(flow: Flow): void {
    const list = this.#listOf(flow)
    flow.lastMicros = this.#time.clock
    flow.touchedMicros = this.#time.clock
    list.unlink(flow)
    list.push(flow)
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
    const first = word === 0 ? ADDRESS_A : TAIL_A + word - 1
    const step = word === 0 ? ADDRESS_B - ADDRESS_A : TAIL_B - TAIL_A
    return this.#keys[flow.index * KEY_WORDS + first + direction * step]
  }

  /** Calls `visit` for every open flow, oldest first; `visit` may close or remove the flow it is given. */
  eachOpen(visit: (flow: Flow) => void): void {
    for (const list of [this.#unproven, this.#proven]) {
      for (let flow = list.oldest; flow !== null; ) {
        const next: Flow | null = flow.newer
        visit(flow)
        flow = next
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

  /** Never 0, which means: of no connection. */
  #nextSerial(): number {
    this.#serial = (this.#serial + 1) | 0 || 1
    return this.#serial
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

  #grow(): Flow {
    const index = this.#flows.length
    if (index === this.#chain.length) {
      const keys = new Int32Array(this.#keys.length * 2)
      keys.set(this.#keys)
      this.#keys = keys
      const chain = new Int32Array(this.#chain.length * 2)
      chain.set(this.#chain)
      this.#chain = chain
      const hashes = new Int32Array(chain.length)
      hashes.set(this.#hashes)
      this.#hashes = hashes
      if (chain.length > this.#buckets.length) this.#rehash(chain.length * 2)
    }
    const flow = new Flow(index)
    this.#flows.push(flow)
    return flow
  }

  #rehash(buckets: number): void {
    this.#buckets = new Int32Array(buckets).fill(NONE)
    for (const list of [this.#unproven, this.#proven, this.#closed]) {
      for (let flow = list.newest; flow !== null; flow = flow.older) {
        const bucket = this.#hashes[flow.index] & (buckets - 1)
        this.#chain[flow.index] = this.#buckets[bucket]
        this.#buckets[bucket] = flow.index
      }
    }
  }

  #listOf(flow: Flow): RecencyList {
    if (flow.state !== FLOW_OPEN) return this.#closed
    return flow.proven ? this.#proven : this.#unproven
  }
}

const NO_FLOWS: readonly Flow[] = []

/** The high bits of the steering hash chose this assembler; the domain separates equal tuples of two namespaces. */
function mix(hash: number, domain: number): number {
  const mixed = Math.imul(hash ^ Math.imul(domain, 0x9e3779b1), 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}

function sameTail(keys: Int32Array, key: number, probe: Int32Array): boolean {
  for (let i = TAIL_A; i < NETWORK; i++) if (keys[key + i] !== probe[i]) return false
  return true
}
