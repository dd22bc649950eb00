/**
 * Finds a segment's flow by network domain, virtual network, addresses and ports; holds at most `capacity` flows.
 *
 *     buckets ──▶ Flow ─chain─▶ Flow ─chain─▶ …     those whose keys hash alike (tuple-hash.ts)
 *
 * Of the two ends of a connection, the endpoint that sorts lower by (address, port) is A; stream 0 runs from A to B, stream 1
 * from B to A.
 *
 * Equal addresses and ports in two virtual networks (VLANs, overlays) are two flows, but one connection captured at two
 * points, inside a VLAN and outside it, is one flow: `join` makes `find` return it for a second network as well.
 *
 * At capacity the caller evicts what is least likely to carry another pair: `oldestClosed` first, then `flowToEvict`.
 *
 * Invariants: a flow, open or closed, is in the chain of its bucket and in exactly one list (flow-lists.ts). No two flows have the
 * same ends in the same virtual network.
 */
import { Time, timerStart } from '../clock'
import { CLOSED, PROVEN, UNPROVEN } from '../memory/list'
import { Region } from '../memory/regions'
import { allocateRecord, freeRecord } from '../memory/slab'
import { CLIENT_UNKNOWN, Direction, extrasOf, FLOW_BYTES, Flow, PROTOCOL_HTTP1, streamOf, Tail, tailOf } from './flow'
import { closedSize, move, oldestOf, push, unlink, unprovenSize } from './flow-lists'
import { freeRareState } from './rare-state'
import { hashOf, hashTerm } from './tuple-hash'

/** Flows between the same ends in different virtual networks. Beyond that the one idle longest is evicted, which keeps chains short. */
const MAX_NETWORKS: u32 = 16
/** Flows move to the front of the recency list once in each such span, so that not every segment of a busy flow writes it. */
const TOUCH_MICROS: f64 = 1_000_000

/** What the last `find` looked for, and what it found beside it. */
class Probe {
  static tag: i32 = 0
  static ports: i32 = 0
  static addressA: i32 = 0
  static addressB: i32 = 0
  static a1: i32 = 0
  static a2: i32 = 0
  static a3: i32 = 0
  static b1: i32 = 0
  static b2: i32 = 0
  static b3: i32 = 0
  static network: i32 = 0
  static bucket: u32 = 0
  /** The frame's hash, or the secret to compute it with. */
  static hash: i32 = 0
  static hashIsSecret: bool = false
  static direction: Direction = 0
}

class Table {
  static capacity: u32 = 0
  /** Keys that all lookups have compared: what a test of their cost counts. */
  static visits: u32 = 0
}

class Touch {
  /** Start of the interval of TOUCH_MICROS in which the last segment was captured. */
  static spanStart: f64 = 0
}

/** @param capacity maximum number of flows, closed ones that linger included */
export function openFlowTable(capacity: u32): void {
  Table.capacity = capacity
  Table.visits = 0
}

/** Flows in the table, closed ones that linger included. */
export function flowCount(): u32 {
  return Region.flows.used
}

/** Open flows in the table. */
export function openCount(): u32 {
  return flowCount() - closedSize()
}

/** Keys that all lookups have compared since the start, modulo 2^32. Only tests read it. */
export function lookupVisits(): u32 {
  return Table.visits
}

/** Whether a flow has to be removed before another one is added. */
export function tableIsFull(): bool {
  return Region.flows.used >= Table.capacity
}

/** Direction of the segment looked up last. */
export function foundDirection(): Direction {
  return Probe.direction
}

/**
 * Looks up the flow of the segment whose IP header is at `ip` and TCP header at `tcp`.
 *
 * @param domain network namespace that the frame was captured in, a uint16
 * @param network virtual network of the packet
 * @param hash the frame's symmetric flow hash, which does not depend on the network; or its secret (`takeSecrets`)
 * @returns the flow, or null; `addFlow` then adds it. Sets `foundDirection` either way.
 */
export function find(ip: usize, tcp: usize, domain: i32, network: i32, hash: i32): Flow | null {
  readKey(ip, tcp, domain)
  Probe.network = network
  Probe.hash = hash
  let flow = firstOfBucket()
  while (flow !== null) {
    Table.visits++
    if (sameEnds(flow) && (flow.network === network || isAlsoIn(flow, network))) return flow
    flow = flow.chain
  }
  return null
}

/**
 * Sets whether the next `find` calls get the secret of the flow hash instead of a hash. `addFlow` then computes the hash, once for
 * each connection: for each frame it would cost as much as decoding the headers (bench/findings.md).
 */
export function takeSecrets(take: bool): void {
  Probe.hashIsSecret = take
}

/** Address of the bucket of the segment at `ip` and `tcp`, which holds the address of the bucket's first flow, or 0. */
export function bucketOfSegment(ip: usize, tcp: usize, domain: i32): usize {
  readKey(ip, tcp, domain)
  return bucketAt(Probe.bucket)
}

/** `Flow.ports` of the segment looked up last. */
export function portsLookedUp(): u32 {
  return Probe.ports
}

/**
 * The next flow, open or closed, between the ends of the last `find`, in another virtual network.
 *
 * @param after the one before, or null
 */
export function nextInOtherNetwork(after: Flow | null): Flow | null {
  let flow = after === null ? firstOfBucket() : after.chain
  while (flow !== null && !sameEnds(flow)) flow = flow.chain
  return flow
}

/** Whether one of those has to be removed before another flow between the same ends is added. */
export function otherNetworksAreFull(): bool {
  let count: u32 = 0
  for (let flow = nextInOtherNetwork(null); flow !== null; flow = nextInOtherNetwork(flow)) count++
  return count >= MAX_NETWORKS
}

/** The flow that has been idle longest of those that `nextInOtherNetwork` returns. Call it only if there is one. */
export function idlestInOtherNetworks(): Flow {
  let idlest = changetype<Flow>(nextInOtherNetwork(null))
  for (let flow = nextInOtherNetwork(idlest); flow !== null; flow = nextInOtherNetwork(flow)) {
    if (flow.lastMicros < idlest.lastMicros) idlest = flow
  }
  return idlest
}

/** The segment for which the last `find` found no flow belongs to this one, and was captured at another point. */
export function join(flow: Flow): void {
  if (flow.joined) return
  flow.joined = true
  extrasOf(flow).alsoIn = Probe.network
}

/** Adds the flow that the last `find` did not find. The table must not be full. */
export function addFlow(interfaceId: i32): Flow {
  const flow = changetype<Flow>(allocateRecord(Region.flows))
  const bucket = bucketAt(Probe.bucket)
  flow.chain = changetype<Flow | null>(load<usize>(bucket))
  store<usize>(bucket, changetype<usize>(flow))
  const hash = Probe.hashIsSecret ? connectionHash(Probe.hash) : Probe.hash
  flow.hash = mixDomain(hash, Probe.tag >> 1)
  begin(flow, interfaceId)
  return flow
}

/** Removes a flow; its record will be used for another connection. */
export function removeFlow(flow: Flow): void {
  let at = bucketAt(bucketOf(flow))
  while (load<usize>(at) !== changetype<usize>(flow)) at = load<usize>(at) + offsetof<Flow>('chain')
  store<usize>(at, changetype<usize>(flow.chain))
  unlink(flow)
  freeRareState(streamOf(flow, 0))
  freeRareState(streamOf(flow, 1))
  freeRecord(Region.flows, changetype<usize>(flow))
}

/** Marks a flow as closed. It stays in the table, so that late segments find it. */
export function closeFlow(flow: Flow): void {
  flow.closed = true
  move(flow, CLOSED)
}

/** Starts a new connection on the tuple of a closed flow, in the network of the segment last looked up. */
export function reopenFlow(flow: Flow, interfaceId: i32): void {
  unlink(flow)
  freeRareState(streamOf(flow, 0))
  freeRareState(streamOf(flow, 1))
  const chain = flow.chain
  const hash = flow.hash
  memory.fill(changetype<usize>(flow), 0, FLOW_BYTES)
  flow.chain = chain
  flow.hash = hash
  begin(flow, interfaceId)
}

/** Records activity of an open flow. */
export function touch(flow: Flow): void {
  const start = timerStart()
  if (!isInSpan(start)) Touch.spanStart = floor(start / TOUCH_MICROS) * TOUCH_MICROS
  const isMoved = isInSpan(flow.lastMicros)
  flow.lastMicros = start
  const list = flow.protocol === PROTOCOL_HTTP1 ? PROVEN : UNPROVEN
  if (!isMoved || list !== flow.list) move(flow, list)
}

/** Whether the next segment of the flow will probably move it, and so write its neighbours. */
export function movesWhenTouched(flow: Flow): bool {
  return !isInSpan(flow.lastMicros)
}

/** Makes a flow the newest of its list, as of the clock, because it had a stray timestamp. */
export function restamp(flow: Flow): void {
  flow.lastMicros = Time.clock
  move(flow, flow.list)
}

/** The closed flow that closed first, of those that linger, or null. */
export function oldestClosed(): Flow | null {
  return oldestOf(CLOSED)
}

/** The open flow that has been idle longest, of those that carry HTTP/1 or of the others, or null. */
export function oldestOpen(proven: bool): Flow | null {
  return oldestOf(proven ? PROVEN : UNPROVEN)
}

/**
 * The open flow to evict: of those that are not known to carry HTTP/1 the one that has been idle longest, unless these are so
 * few that new connections would not last until their first request. null: there is none.
 */
export function flowToEvict(): Flow | null {
  const proven = oldestOf(PROVEN)
  return unprovenSize() > Table.capacity >> 3 || proven === null ? oldestOf(UNPROVEN) : proven
}

/** Whether the flow's addresses are IPv6. */
export function isIpv6(flow: Flow): bool {
  return (flow.tag & 1) !== 0
}

/** Port of the endpoint that sends on `direction`. */
export function portOf(flow: Flow, direction: Direction): i32 {
  return direction === 0 ? <i32>(<u32>flow.ports >> 16) : flow.ports & 0xffff
}

/** Word `word` (0 to 3, big-endian value) of the address that sends on `direction`; IPv4 is word 0 alone. */
export function addressWord(flow: Flow, direction: Direction, word: u32): i32 {
  if (word === 0) return direction === 0 ? flow.addressA : flow.addressB
  if (!isIpv6(flow)) return 0
  return load<u32>(changetype<usize>(tailOf(flow)) + ((direction === 0 ? 0 : 3) + word - 1) * 4)
}

/** A connection begins, between the ends last looked up. The flow is in no list, and its record is 0 except for its place in the table. */
function begin(flow: Flow, interfaceId: i32): void {
  flow.tag = Probe.tag
  flow.ports = Probe.ports
  flow.addressA = Probe.addressA
  flow.addressB = Probe.addressB
  flow.network = Probe.network
  if (isIpv6(flow)) saveTail(flow)
  flow.interfaceId = <u16>interfaceId
  flow.client = CLIENT_UNKNOWN
  flow.lastMicros = timerStart()
  push(flow, UNPROVEN)
}

function saveTail(flow: Flow): void {
  const tail = tailOf(flow)
  tail.a1 = Probe.a1
  tail.a2 = Probe.a2
  tail.a3 = Probe.a3
  tail.b1 = Probe.b1
  tail.b2 = Probe.b2
  tail.b3 = Probe.b3
}

function isInSpan(micros: f64): bool {
  return micros >= Touch.spanStart && micros < Touch.spanStart + TOUCH_MICROS
}

/** Whether a flow was captured in this virtual network as well. */
function isAlsoIn(flow: Flow, network: i32): bool {
  return flow.joined && extrasOf(flow).alsoIn === network
}

/** The bucket that `readKey` found for its key. */
function bucketOf(flow: Flow): u32 {
  const terms = hashEnds(flow.tag, flow.ports, flow.addressA, flow.addressB)
  if (!isIpv6(flow)) return hashOf(terms)
  const tail = tailOf(flow)
  return hashOf(terms + hashTail(tail.a1, tail.a2, tail.a3, tail.b1, tail.b2, tail.b3))
}

function hashEnds(tag: u32, ports: u32, addressA: u32, addressB: u32): u64 {
  return hashTerm(0, tag) + hashTerm(1, ports) + hashTerm(2, addressA) + hashTerm(3, addressB)
}

function hashTail(a1: u32, a2: u32, a3: u32, b1: u32, b2: u32, b3: u32): u64 {
  const a = hashTerm(4, a1) + hashTerm(5, a2) + hashTerm(6, a3)
  return a + hashTerm(7, b1) + hashTerm(8, b2) + hashTerm(9, b3)
}

function bucketAt(hash: u32): usize {
  return Region.buckets + <usize>(hash & Region.bucketMask) * sizeof<usize>()
}

function firstOfBucket(): Flow | null {
  return changetype<Flow | null>(load<usize>(bucketAt(Probe.bucket)))
}

function sameEnds(flow: Flow): bool {
  if (flow.ports !== Probe.ports || flow.addressA !== Probe.addressA) return false
  if (flow.addressB !== Probe.addressB || flow.tag !== Probe.tag) return false
  return (Probe.tag & 1) === 0 || sameTail(tailOf(flow))
}

function sameTail(tail: Tail): bool {
  const sameA = tail.a1 === Probe.a1 && tail.a2 === Probe.a2 && tail.a3 === Probe.a3
  return sameA && tail.b1 === Probe.b1 && tail.b2 === Probe.b2 && tail.b3 === Probe.b3
}

/** Reads the key of a segment, except its network, and finds its bucket. */
function readKey(ip: usize, tcp: usize, domain: i32): void {
  const sourcePort = <i32>bswap<u16>(load<u16>(tcp))
  const targetPort = <i32>bswap<u16>(load<u16>(tcp, 2))
  const isLower =
    load<u8>(ip) >> 4 === 4 ? readIpv4(ip, sourcePort <= targetPort) : readIpv6(ip, sourcePort <= targetPort)
  Probe.direction = isLower ? 0 : 1
  Probe.tag |= domain << 1
  Probe.ports = isLower ? (sourcePort << 16) | targetPort : (targetPort << 16) | sourcePort
  let terms = hashEnds(Probe.tag, Probe.ports, Probe.addressA, Probe.addressB)
  if ((Probe.tag & 1) !== 0) terms += hashTail(Probe.a1, Probe.a2, Probe.a3, Probe.b1, Probe.b2, Probe.b3)
  Probe.bucket = hashOf(terms)
}

/** @param portIsLower the order of the ends if their addresses are equal. @returns whether the source sorts lower */
function readIpv4(ip: usize, portIsLower: bool): bool {
  const source = wordAt(ip + 12)
  const target = wordAt(ip + 16)
  const isLower = source === target ? portIsLower : source < target
  Probe.tag = 0
  Probe.addressA = isLower ? source : target
  Probe.addressB = isLower ? target : source
  return isLower
}

function readIpv6(ip: usize, portIsLower: bool): bool {
  let isLower = portIsLower
  for (let i: usize = 8; i < 24; i += 4) {
    const source = wordAt(ip + i)
    const target = wordAt(ip + i + 16)
    if (source === target) continue
    isLower = source < target
    break
  }
  const a = ip + (isLower ? 8 : 24)
  const b = ip + (isLower ? 24 : 8)
  Probe.tag = 1
  Probe.addressA = wordAt(a)
  Probe.a1 = wordAt(a + 4)
  Probe.a2 = wordAt(a + 8)
  Probe.a3 = wordAt(a + 12)
  Probe.addressB = wordAt(b)
  Probe.b1 = wordAt(b + 4)
  Probe.b2 = wordAt(b + 8)
  Probe.b3 = wordAt(b + 12)
  return isLower
}

function wordAt(at: usize): i32 {
  return bswap<i32>(load<i32>(at))
}

/** The hash of the segment's ends as the capture stage computes it (capture/intake/flow-hash.ts), which has a test that compares both. */
function connectionHash(secret: i32): i32 {
  let a = mix(Probe.addressA ^ secret)
  let b = mix(Probe.addressB ^ secret)
  if ((Probe.tag & 1) !== 0) {
    a = mix(mix(mix(a ^ Probe.a1) ^ Probe.a2) ^ Probe.a3)
    b = mix(mix(mix(b ^ Probe.b1) ^ Probe.b2) ^ Probe.b3)
  }
  a = mix(a ^ ((<i32>(<u32>Probe.ports >> 16) + 1) * <i32>0x9e3779b1))
  b = mix(b ^ (((Probe.ports & 0xffff) + 1) * <i32>0x9e3779b1))
  return mix((a + b) ^ secret)
}

/** MurmurHash3's finaliser (public domain, A. Appleby). */
function mix(value: i32): i32 {
  let h = (value ^ <i32>(<u32>value >> 16)) * <i32>0x85ebca6b
  h = (h ^ <i32>(<u32>h >> 13)) * <i32>0xc2b2ae35
  return h ^ <i32>(<u32>h >> 16)
}

/** The high bits of the steering hash chose this assembler; the domain separates equal tuples of two namespaces. */
function mixDomain(hash: i32, domain: i32): i32 {
  const mixed = (hash ^ (domain * <i32>0x9e3779b1)) * <i32>0x85ebca6b
  return mixed ^ <i32>(<u32>mixed >> 15)
}
