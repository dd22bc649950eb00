/**
 * Counts which client calls which server: workloads where pods are known, otherwise addresses, shown by the name in
 * their requests' Host field. Bounded like the table of routes.
 */
import { isIP } from 'node:net'
import type { Pair } from '../pair/pair.ts'
import { OTHER, RouteTable, workloadOf } from '../routes/route-table.ts'
import type { MapEdge, MapNode, ServiceMapView } from './protocol.ts'
import { type ServerNames, serverId } from './server-names.ts'

/** Separates the two ends in the name of a group: neither an address nor a workload contains a tab. */
const ARROW = '\t'

export class ServiceMap {
  readonly #table = new RouteTable(edgeOf)
  readonly #names: ServerNames

  /** @param names names of servers that are not known pods */
  constructor(names: ServerNames) {
    this.#names = names
  }

  add(pair: Pair): void {
    this.#table.add(pair)
  }

  /** Extends the time covered, as RouteTable.pass does. */
  pass(pair: Pair): void {
    this.#table.pass(pair)
  }

  /** The map so far. */
  view(): Omit<ServiceMapView, 'missed'> {
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
    return {
      id,
      label: this.#names.labelOf(id),
      asClient: conditionOn('client', id),
      asServer: conditionOn('server', id),
    }
  }
}

const edgeOf = ({ client, server }: Pair): string =>
  `${workloadOf(client) ?? client.address}${ARROW}${workloadOf(server) ?? serverId(server)}`

/** A CEL expression that selects an end by its id. */
function conditionOn(end: 'client' | 'server', id: string): string {
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
