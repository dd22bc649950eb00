/**
 * Who calls whom: workloads where pods are known, else addresses, by the name that requests have for them. Bounded as the
 * table of routes is; so are the names.
 */
import { isIP } from 'node:net'
import { type Endpoint, headerValue, type Pair } from '../pair/pair.ts'
import { OTHER, RouteTable, workloadOf } from '../routes/route-table.ts'
import { isLoopback } from './access.ts'
import type { MapEdge, MapNode, ServiceMapView } from './protocol.ts'

/** Between the two ends in the name of a group; neither an address nor a workload has one. */
const ARROW = '\t'
/** The most addresses whose name is known, and the longest such name. */
const MOST_NAMES = 1000
const MOST_NAME = 100

export class ServiceMap {
  readonly #table = new RouteTable(edgeOf)
  /** What requests call an address: the first Host field that is not an address. */
  readonly #names = new Map<string, string>()

  add(pair: Pair): void {
    this.#table.add(pair)
    if (pair.server.pod !== null || this.#names.size >= MOST_NAMES) return
    const id = serverId(pair.server)
    const name = (headerValue(pair.request, 'host') ?? '').replace(/:\d+$/, '')
    if (!this.#names.has(id) && name !== '' && !isAddress(name)) this.#names.set(id, name.slice(0, MOST_NAME))
  }

  /** The map so far. */
  view(): ServiceMapView {
    const nodes = new Map<string, MapNode>()
    const edges: MapEdge[] = []
    let other = 0
    for (const { group, ...row } of this.#table.rows('requests')) {
      if (group === OTHER) {
        other = row.requests
        continue
      }
      const [from = '', to = ''] = group.split(ARROW)
      for (const id of [from, to]) if (!nodes.has(id)) nodes.set(id, this.#node(id))
      const { requests, perSecond, clientErrors, serverErrors, p50Ms, p99Ms } = row
      edges.push({ from, to, requests, perSecond, clientErrors, serverErrors, p50Ms, p99Ms })
    }
    return { nodes: [...nodes.values()], edges, other }
  }

  #node(id: string): MapNode {
    const label = this.#names.get(id) ?? id
    return { id, label, asClient: selects('client', id), asServer: selects('server', id) }
  }
}

const isAddress = (name: string): boolean => isIP(name.replace(/^\[|\]$/g, '')) !== 0

const edgeOf = ({ client, server }: Pair): string =>
  `${workloadOf(client) ?? client.address}${ARROW}${workloadOf(server) ?? serverId(server)}`

/** On loopback all servers have one address: there their ports differ. */
const serverId = ({ address, port }: Endpoint): string => (isLoopback(address) ? `${address}:${port}` : address)

/** A CEL expression that selects an end by its id. */
function selects(end: 'client' | 'server', id: string): string {
  const workload = /^([^/\s]+)\/([^/\s]+)$/.exec(id)
  if (workload !== null) {
    const [, namespace, name] = workload
    const inNamespace = namespace === '~' ? '' : `${end}.pod.namespace == ${JSON.stringify(namespace)} && `
    return `${inNamespace}(${end}.pod.workload.name == ${JSON.stringify(name)} || ${end}.pod.name == ${JSON.stringify(name)})`
  }
  const at = isIP(id) === 0 ? id.lastIndexOf(':') : -1
  const address = `${end}.address == ${JSON.stringify(at < 0 ? id : id.slice(0, at))}`
  return at < 0 ? address : `${address} && ${end}.port == ${id.slice(at + 1)}`
}
