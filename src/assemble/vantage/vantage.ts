/**
 * What a connection is to the place it was captured at: which of its ends is here, how both are called, and whether this is
 * the view of it to keep. Decided once per connection, not per message.
 *
 * An exchange between two pods passes several places. With `keep: server` only the server's view of it is kept, and the
 * client's only where the server is outside the cluster, so that the cluster's agents ship each exchange once.
 */
import type { AddressEntry, EndpointPod } from '../../pair/endpoint-pod.ts'
import type { InterfaceInfo, View } from '../../target/interface-info.ts'
import type { Direction, Flow } from '../tcp/flow.ts'
import type { FlowTable } from '../tcp/flow-table.ts'
import { isClusterHost } from './cluster-host.ts'
import { type AddressWords, addressWords, Networks } from './network-set.ts'
import { PodBytes } from './pod-bytes.ts'
import { PodDirectory } from './pod-directory.ts'

/** Which views are kept. */
export interface ViewPolicy {
  keep: 'server' | 'both'
  /** CIDRs of the cluster's pods and services. */
  clusterNetworks: readonly string[]
}

/** `Flow.vantage`: from whose side a connection is seen. OWN: what its interface says (files, interfaces by name). */
export const VANTAGE_OWN = 0
export const VANTAGE_SERVER = 1
export const VANTAGE_CLIENT = 2
export const VANTAGE_HOST = 3

/** `Flow.place`: what is still to be found out of it. */
export const PLACE_SETTLED = 0
/** Its request's Host decides whether it is kept. */
export const PLACE_BY_HOST = 1

/** What `judge` says. */
export const KEEP = 0
/** Another capture point has the view to keep. */
export const LEAVE_OUT = 1
/** Neither end is this host's own socket. */
export const FORWARDED = 2

interface Place {
  readonly view: View
  readonly local: Networks
  readonly pod: PodBytes | null
  readonly listeners: ReadonlyMap<number, PodBytes>
}

const LOOPBACK = new Networks(['127.0.0.0/8', '::1'])

export class Views {
  readonly #flows: FlowTable
  readonly #directory = new PodDirectory()
  readonly #places: (Place | null)[] = []
  #networks: Networks
  #keepBoth: boolean
  /** Moves on with every name that may have changed; see `Flow.named`. */
  #version = 1
  readonly #client = { ipv6: false, words: new Int32Array(4) }
  readonly #server = { ipv6: false, words: new Int32Array(4) }
  readonly #isNamespace = (name: string): boolean => this.#directory.hasNamespace(name)

  constructor(flows: FlowTable, policy: ViewPolicy) {
    this.#flows = flows
    this.#networks = new Networks(policy.clusterNetworks)
    this.#keepBoth = policy.keep === 'both'
  }

  /** Makes an interface known, or what is known of it anew. */
  addInterface(id: number, { view }: InterfaceInfo): void {
    this.#version++
    this.#places[id] = view === null ? null : placeOf(view)
  }

  setAddresses(entries: readonly AddressEntry[]): void {
    this.#version++
    this.#directory.set(entries)
  }

  setPolicy({ keep, clusterNetworks }: ViewPolicy): void {
    this.#networks = new Networks(clusterNetworks)
    this.#keepBoth = keep === 'both'
  }

  /** TTL of the host's own packets where this tells its connections from forwarded ones; 0 elsewhere. */
  hopLimit(interfaceId: number): number {
    return this.#places[interfaceId]?.view.hopLimit ?? 0
  }

  /** Whether the end that sends on `direction` is this host's, for an interface with a hop limit. */
  isLocal(flow: Flow, direction: Direction): boolean {
    const place = this.#places[flow.interfaceId]
    if (place === null || place === undefined) return false
    this.#read(flow, direction, this.#client)
    return place.local.contains(this.#client)
  }

  /** Decides on a connection whose client is known. @returns KEEP, LEAVE_OUT or FORWARDED */
  judge(flow: Flow): number {
    const place = this.#places[flow.interfaceId]
    if (place === null || place === undefined) return KEEP
    this.#readEnds(flow)
    const { view } = place
    if (view.scope === 'loopback') return this.#judgeLoopback(flow, view)
    if (place.local.contains(this.#server)) flow.vantage = VANTAGE_SERVER
    else if (place.local.contains(this.#client)) return this.#judgeClient(flow)
    else if (view.scope === 'host') return FORWARDED
    else flow.vantage = VANTAGE_HOST
    return KEEP
  }

  /** For a connection in PLACE_BY_HOST. @param host value of its first request's Host field @returns KEEP or LEAVE_OUT */
  judgeHost(flow: Flow, host: string): number {
    flow.place = PLACE_SETTLED
    return isClusterHost(host, this.#networks, this.#isNamespace) ? LEAVE_OUT : KEEP
  }

  /** Names both ends, `clientPod` and `serverPod`, unless they are as they were. */
  name(flow: Flow): void {
    if (flow.named === this.#version) return
    flow.named = this.#version
    flow.clientPod = null
    flow.serverPod = null
    const place = this.#places[flow.interfaceId]
    if (place === null || place === undefined) return
    this.#readEnds(flow)
    const port = this.#flows.port(flow, (1 - flow.clientDirection) as Direction)
    const micros = flow.lastMicros
    const own = flow.vantage === VANTAGE_SERVER ? this.#server : flow.vantage === VANTAGE_CLIENT ? this.#client : null
    flow.clientPod = own === this.#client && place.pod !== null ? place.pod.at(0) : this.#pod(this.#client, micros, 0)
    if (own !== this.#server) flow.serverPod = this.#pod(this.#server, micros, port)
    else flow.serverPod = (place.pod ?? place.listeners.get(port))?.at(port) ?? this.#pod(this.#server, micros, port)
  }

  /** On a sidecar's loopback: outgoing requests go to the proxy's port, or to a far address where the proxy is transparent. */
  #judgeLoopback(flow: Flow, view: View): number {
    const port = this.#flows.port(flow, (1 - flow.clientDirection) as Direction)
    if (view.outboundPorts.includes(port)) {
      flow.vantage = VANTAGE_CLIENT
      flow.place = this.#keepBoth ? PLACE_SETTLED : PLACE_BY_HOST
      return KEEP
    }
    const place = this.#places[flow.interfaceId] as Place
    if (!LOOPBACK.contains(this.#server) && !place.local.contains(this.#server)) return this.#judgeClient(flow)
    flow.vantage = VANTAGE_SERVER
    return KEEP
  }

  #judgeClient(flow: Flow): number {
    flow.vantage = VANTAGE_CLIENT
    if (this.#keepBoth) return KEEP
    const inside = this.#networks.contains(this.#server) || this.#directory.find(this.#server, flow.lastMicros) !== null
    return inside ? LEAVE_OUT : KEEP
  }

  #pod(address: AddressWords, micros: number, port: number): Uint8Array | null {
    return this.#directory.find(address, micros)?.at(port) ?? null
  }

  #readEnds(flow: Flow): void {
    this.#read(flow, flow.clientDirection as Direction, this.#client)
    this.#read(flow, (1 - flow.clientDirection) as Direction, this.#server)
  }

  #read(flow: Flow, direction: Direction, into: { ipv6: boolean; words: Int32Array }): void {
    into.ipv6 = this.#flows.isIpv6(flow)
    for (let i = 0; i < 4; i++) into.words[i] = into.ipv6 || i === 0 ? this.#flows.addressWord(flow, direction, i) : 0
  }
}

function placeOf(view: View): Place {
  const podBytes = (pod: EndpointPod): PodBytes => new PodBytes(pod)
  return {
    view,
    // Link-local and such addresses are nobody else's: an address that cannot be read is none of ours.
    local: new Networks(view.addresses.filter(isAddress)),
    pod: view.pod === null ? null : podBytes(view.pod),
    listeners: new Map(Object.entries(view.listeners).map(([port, pod]) => [Number(port), podBytes(pod)])),
  }
}

function isAddress(text: string): boolean {
  try {
    addressWords(text)
    return true
  } catch {
    return false
  }
}
