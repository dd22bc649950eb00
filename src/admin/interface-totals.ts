/** The counts of captured interfaces, by name. Pure. */
import { CAPTURE_COUNTERS } from '../ledger/counters.ts'
import { count, type Ledger, reasonsOf } from '../ledger/ledger.ts'
import type { InterfaceObservation } from '../ledger/observation.ts'
import { sumTraffic } from '../ledger/traffic.ts'

/** Counts of some interfaces. */
export function interfaceTotals(interfaces: readonly InterfaceObservation[]) {
  const { ledger, serverNames, protocols, lastPairMicros } = sumTraffic(interfaces.flatMap(({ traffic }) => traffic))
  const frames = interfaces.reduce((sum, { block }) => sum + block.values[CAPTURE_COUNTERS.index.seen], 0)
  return {
    frames,
    connections: connectionsOf(ledger),
    serverNames: Object.fromEntries(serverNames),
    protocols: Object.fromEntries(protocols),
    requests: count(ledger, 'messages.requests'),
    responses: count(ledger, 'messages.responses'),
    pairs: {
      kept: count(ledger, 'pairs.kept'),
      filtered: reasonsOf(ledger, 'pairs.filtered'),
      dropped: reasonsOf(ledger, 'pairs.dropped'),
    },
    abandoned: reasonsOf(ledger, 'requests.abandoned'),
    lastPairMicros,
  }
}

/** Upgraded connections and tunnels are HTTP/1 connections too. */
function connectionsOf(ledger: Ledger): Record<string, number> {
  const protocols = reasonsOf(ledger, 'flows.protocol')
  const leftOut = reasonsOf(ledger, 'flows.leftOut')
  const seen = count(ledger, 'flows.seen')
  const known = ['http1', 'http2', 'tls', 'other'].reduce((sum, name) => sum + (protocols[name] ?? 0), 0)
  const unrecognised = Math.max(0, seen - known - count(ledger, 'flows.leftOut'))
  return { seen, ...protocols, ...leftOut, ...(unrecognised > 0 ? { unrecognised } : {}) }
}
