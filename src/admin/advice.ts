/** One sentence about the traffic of a pod or of an interface: why there is no pair, and what to do about it. Pure. */

import { type ConnectionCounts, type Counts, largest, mostFrequent, sum } from '../format/traffic-text.ts'
import { counted, grouped } from '../format/units.ts'

/** The traffic that the sentence is about. */
export interface Seen extends ConnectionCounts {
  readonly isCaptured: boolean
  /** Empty although it is captured: they are being opened, or could not be. */
  readonly interfaces: readonly string[]
  /** Why it is captured there, or not at all. */
  readonly why: string
  readonly frames: number
  readonly requests: number
  readonly responses: number
  readonly pairs: { readonly kept: number; readonly filtered: Counts; readonly dropped: Counts }
  readonly abandoned: Counts
  /** The last attempt to write to the output failed. */
  readonly outputFails: boolean
}

/** The setting behind each reason of `pairs.filtered`. */
const SETTINGS: Readonly<Record<string, string>> = {
  pairBytes: 'limits.pairBytes',
  contentType: 'filter.contentTypes',
  userAgent: 'filter.userAgentPrefixes',
  header: 'filter.requestHeaders',
  status: 'filter.statuses',
  path: 'filter.paths',
  view: 'targets.keep',
  include: 'filter.include',
  selection: '--grep and --where',
}

/** @returns a sentence without a full stop */
export function advice(seen: Seen): string {
  const { isCaptured, interfaces, why, frames, connections, requests, responses, pairs, outputFails } = seen
  if (!isCaptured) return `not captured: ${why}`
  if (interfaces.length === 0) return 'its interface is not open yet: the log has the reason'
  const where = interfaces.join(' and ')
  if (frames === 0) return `no frames on ${where}: nothing is sent there, or the traffic uses another interface`
  if (count(connections, 'seen') === 0)
    return `${counted(frames, 'frame')} and no TCP connection on ${where}: only other protocols, or excluded ports`
  const dropped = sum(pairs.dropped)
  if (dropped > 0) return `${counted(dropped, 'pair')} lost because the output is too slow; see pairs.dropped`
  if (pairs.kept > 0 && outputFails) return 'pairs are kept and wait: the output is unreachable; run interceptor doctor'
  if (pairs.kept > 0) return 'pairs are kept'
  if (sum(pairs.filtered) > 0) return upgradedAdvice(seen) ?? filteredAdvice(pairs.filtered)
  if ((requests === 0) !== (responses === 0)) {
    const half =
      requests > 0
        ? `${counted(requests, 'request')} and no response`
        : `${counted(responses, 'response')} and no request`
    return `${half}: only one direction is captured on ${where}`
  }
  if (requests > 0) return requestsAdvice(seen)
  return connectionsAdvice(seen)
}

function filteredAdvice(filtered: Counts): string {
  const all = counted(sum(filtered), 'pair')
  if (count(filtered, 'view') === sum(filtered)) return `${all}, all kept at their other end (targets.keep)`
  const settings = largest(filtered).map(([reason]) => SETTINGS[reason] ?? reason)
  return `${all}, all filtered: change ${settings.join(', ')} to keep them`
}

/** Advice where only requests that open WebSockets and tunnels became pairs; null: there are other requests. */
function upgradedAdvice({ connections, pairs }: Seen): string | null {
  const [upgraded, tunnels] = [count(connections, 'upgraded'), count(connections, 'tunnel')]
  if (sum(pairs.filtered) > upgraded + tunnels) return null
  const became = upgraded >= tunnels ? 'upgraded, such as to WebSocket' : 'that became CONNECT tunnels'
  return `${counted(upgraded + tunnels, 'connection')} ${became}: what follows is not HTTP/1 and not parsed`
}

function requestsAdvice({ requests, abandoned }: Seen): string {
  const [most] = largest(abandoned)
  if (most === undefined) return `${counted(requests, 'request')} waiting for a response`
  return `${counted(sum(abandoned), 'request')} without a response, most because of ${most[0]}; see requests.abandoned`
}

/** Describes the connections, because none carried a message. */
function connectionsAdvice({ connections, serverNames, protocols, interfaces }: Seen): string {
  const { seen = 0, upgraded: _, tunnel: __, ...kinds } = connections
  const [[kind, most] = ['', 0]] = largest(kinds)
  const share = most === seen ? 'all' : grouped(most)
  const where = interfaces.join(' and ')
  return `${counted(seen, 'connection')}, ${share} ${reasonOf(kind, { serverNames, protocols, where })}`
}

interface Names extends Omit<ConnectionCounts, 'connections'> {
  readonly where: string
}

function reasonOf(kind: string, { serverNames, protocols, where }: Names): string {
  switch (kind) {
    case 'tls':
      return `TLS${mostFrequent(' to ', serverNames)}: plaintext is not on ${where}`
    case 'http2':
      return 'HTTP/2, which is not parsed'
    case 'other':
      return `other protocols${mostFrequent(', such as ', protocols)}: no HTTP on ${where}`
    case 'view':
      return 'kept at their other end (targets.keep)'
    case 'forwarded':
      return 'forwarded: captured at the pods that they belong to'
    case 'http1':
      return 'HTTP/1 without a complete message yet'
    default:
      return 'without data that shows a protocol: they are idle, or began before the capture'
  }
}

const count = (counts: Counts, name: string): number => counts[name] ?? 0
