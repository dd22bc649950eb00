/**
 * Decides for each connection which of its ends is local to the capture point, which pods the ends are, and whether the
 * pairs seen from here are kept. Decided once per connection, not per message.
 *
 * An exchange between two pods passes several capture points. With `keep: server` only the server's vantage is kept, and
 * the client's only where the server is outside the cluster, so that the cluster's agents ship each exchange once:
 *
 *     capture point               connection                                      vantage   kept
 *     loopback of a pod with a    to the proxy's outbound port                    client    unless the Host field is inside
 *     sidecar                     to a remote address                             client    unless the server is inside
 *                                 any other                                       server    yes
 *     elsewhere                   through the sidecar, so seen on the loopback              no
 *                                 to a local address                              server    yes
 *                                 from a local address                            client    unless the server is inside
 *                                 between others, on the host's interfaces        host      if a tunnel carries it to outside
 *                                 between others, on an interface of a pod        host      yes
 */
import { portRangesContain } from '../../net/port-ranges.ts'
import type { AddressEntry } from '../../pair/endpoint-pod.ts'
import type { Include } from '../../select/include.ts'
import type { InterfaceInfo, VantagePoint, VantagePolicy } from '../../target/interface-info.ts'
import type { Direction } from '../direction.ts'
import type { HostFlow } from '../host/host-flow.ts'
import { isClusterHost } from './cluster-host.ts'
import { type AddressWords, addressWords, Networks } from './network-set.ts'
import { identityOf, PodBytes } from './pod-bytes.ts'
import { PodDirectory } from './pod-directory.ts'

/** `Flow.vantage`: from whose side a connection is seen. 0: `InterfaceInfo.vantage` (files, interfaces by name). */
const VANTAGE_SERVER = 1
const VANTAGE_CLIENT = 2
const VANTAGE_HOST = 3

/** Results of `judge`, which core/host.ts has as well. */
const KEEP = 0
/** Another capture point has the vantage that is kept. */
const LEAVE_OUT = 1
/** Neither end is a socket of this host. */
const FORWARDED = 2

/** A vantage point with its texts parsed. */
interface Point {
  readonly info: VantagePoint
  readonly local: Networks
  readonly pod: PodBytes | null
  readonly listeners: ReadonlyMap<number, PodBytes>
  readonly bypassNetworks: Networks
}

/** Made when it is first needed: the first IPv6 address that a process parses costs 3 to 8 ms, in Node.js. */
let loopback: Networks | null = null

export class Vantages {
  readonly #directory = new PodDirectory()
  /** By interface id. */
  readonly #points: (Point | null)[] = []
  #networks: Networks
  #keepBoth: boolean
  readonly #client = { ipv6: false, words: new Int32Array(4) }
  readonly #server = { ipv6: false, words: new Int32Array(4) }
  readonly #isNamespace = (name: string): boolean => this.#directory.hasNamespace(name)

  constructor(policy: VantagePolicy) {
    this.#networks = new Networks(policy.clusterNetworks)
    this.#keepBoth = policy.keep === 'both'
  }

  /** Adds an interface, or replaces what is known of it. */
  addInterface(id: number, { vantagePoint }: InterfaceInfo): void {
    this.#points[id] = vantagePoint === null ? null : parsePoint(vantagePoint)
  }

  /** Replaces the holders of these addresses. */
  setAddresses(entries: readonly AddressEntry[]): void {
    this.#directory.set(entries)
  }

  /** Applies to connections judged from now on. */
  setPolicy({ keep, clusterNetworks }: VantagePolicy): void {
    this.#networks = new Networks(clusterNetworks)
    this.#keepBoth = keep === 'both'
  }

  /** Whether the end that sends on `direction` has a local address. False for interfaces without a vantage point. */
  isLocal(flow: HostFlow, direction: Direction): boolean {
    const point = this.#points[flow.interfaceId]
    if (point === null || point === undefined) return false
    this.#read(flow, direction, this.#client)
    return point.local.contains(this.#client)
  }

  /** Sets the vantage of a connection whose client is known. @returns KEEP, LEAVE_OUT or FORWARDED */
  judge(flow: HostFlow): number {
    const point = this.#points[flow.interfaceId]
    if (point === null || point === undefined) return KEEP
    this.#readEnds(flow)
    const { scope } = point.info
    if (scope === 'loopback') return this.#judgeLoopback(flow, point)
    if (!this.#bypasses(flow, point)) return LEAVE_OUT
    if (point.local.contains(this.#server)) flow.vantage = VANTAGE_SERVER
    else if (point.local.contains(this.#client)) return this.#judgeClient(flow)
    else if (scope === 'host') return this.#judgeForeign(flow, point)
    else flow.vantage = VANTAGE_HOST
    return KEEP
  }

  /** For a connection with `hostPending`. @param host value of its first request's Host field @returns KEEP or LEAVE_OUT */
  judgeHost(host: string): number {
    return isClusterHost(host, this.#networks, this.#isNamespace) ? LEAVE_OUT : KEEP
  }

  /** Sets `clientPod` and `serverPod`. */
  name(flow: HostFlow): void {
    flow.clientPod = null
    flow.serverPod = null
    const point = this.#points[flow.interfaceId]
    if (point === null || point === undefined) return
    this.#readEnds(flow)
    const port = flow.port((1 - flow.clientDirection) as Direction)
    const micros = flow.lastMicros
    const ownClient = flow.vantage === VANTAGE_CLIENT ? point.pod : null
    flow.clientPod = ownClient?.at(0) ?? this.#pod(this.#client, micros, 0)
    const ownServer = flow.vantage === VANTAGE_SERVER ? (point.pod ?? point.listeners.get(port)) : null
    flow.serverPod = ownServer?.at(port) ?? this.#pod(this.#server, micros, port)
  }

  /** Whether one of the connection's ends is a pod on the lists. */
  hasIncludedPod(flow: HostFlow, include: Include): boolean {
    this.name(flow)
    return include.pods(identityOf(flow.clientPod), identityOf(flow.serverPod))
  }

  /**
   * On the loopback interface of a pod with a sidecar: outgoing requests go to one of the proxy's ports, or to a remote
   * address where the proxy is transparent.
   */
  #judgeLoopback(flow: HostFlow, { info, local }: Point): number {
    const port = flow.port((1 - flow.clientDirection) as Direction)
    if (info.outboundPorts.includes(port)) {
      flow.vantage = VANTAGE_CLIENT
      flow.setHostPending(!this.#keepBoth)
      return KEEP
    }
    loopback ??= new Networks(['127.0.0.0/8', '::1'])
    if (!loopback.contains(this.#server) && !local.contains(this.#server)) return this.#judgeClient(flow)
    flow.vantage = VANTAGE_SERVER
    return KEEP
  }

  /**
   * Between two other hosts, on the host's interfaces: forwarded, or out of a tunnel. Pods' own traffic in the cluster's
   * overlay is left out like forwarded traffic: it is captured at the pods.
   */
  #judgeForeign(flow: HostFlow, { info }: Point): number {
    if (!info.tunnels || this.#isInside(this.#server, flow) || this.#isInside(this.#client, flow)) return FORWARDED
    flow.vantage = VANTAGE_HOST
    return KEEP
  }

  /** Whether a connection at a pod's external interface bypasses the mesh's proxy; true where none is in its way. */
  #bypasses(flow: HostFlow, { info: { bypass }, local, bypassNetworks }: Point): boolean {
    if (bypass === null) return true
    const port = flow.port((1 - flow.clientDirection) as Direction)
    if (local.contains(this.#server)) return portRangesContain(bypass.inbound, port)
    return portRangesContain(bypass.outbound, port) || bypassNetworks.contains(this.#server)
  }

  #judgeClient(flow: HostFlow): number {
    flow.vantage = VANTAGE_CLIENT
    if (this.#keepBoth) return KEEP
    return this.#isInside(this.#server, flow) ? LEAVE_OUT : KEEP
  }

  /** Whether an address is the cluster's. */
  #isInside(address: AddressWords, flow: HostFlow): boolean {
    return this.#networks.contains(address) || this.#directory.find(address, flow.lastMicros) !== null
  }

  #pod(address: AddressWords, micros: number, port: number): Uint8Array | null {
    return this.#directory.find(address, micros)?.at(port) ?? null
  }

  #readEnds(flow: HostFlow): void {
    this.#read(flow, flow.clientDirection as Direction, this.#client)
    this.#read(flow, (1 - flow.clientDirection) as Direction, this.#server)
  }

  #read(flow: HostFlow, direction: Direction, into: { ipv6: boolean; words: Int32Array }): void {
    into.ipv6 = flow.isIpv6
    for (let i = 0; i < 4; i++) into.words[i] = into.ipv6 || i === 0 ? flow.addressWord(direction, i) : 0
  }
}

function parsePoint(info: VantagePoint): Point {
  return {
    info,
    // Skip addresses that cannot be parsed (scoped ones, for example): no packet can match them.
    local: new Networks(info.addresses.filter(isAddress)),
    pod: info.pod === null ? null : new PodBytes(info.pod),
    bypassNetworks: new Networks((info.bypass?.outboundNetworks ?? []).filter(isAddress)),
    listeners: new Map(Object.entries(info.listeners).map(([port, pod]) => [Number(port), new PodBytes(pod)])),
  }
}

/** @param text an address or a network */
function isAddress(text: string): boolean {
  try {
    addressWords(text.split('/', 1)[0])
    return true
  } catch {
    return false
  }
}
