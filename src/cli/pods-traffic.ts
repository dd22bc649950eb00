/** `interceptor pods --traffic`: asks a running agent what it has seen of each pod. */

import { parseListenAddress } from '../admin/listen-address.ts'
import { PODS_PAGE, type PodsPage, type PodTraffic } from '../admin/pod-traffic.ts'
import type { Config } from '../config/schema.ts'
import { errorText, runtimeError, usageError } from '../errors.ts'
import { dayOf, grouped, timeOfDay } from '../format/units.ts'

/** How long the agent may take to respond. Milliseconds. */
const TIMEOUT_MS = 5_000
/** 500 pods of a kilobyte each, with room for long names. */
const MOST_BYTES = 4 * 1024 * 1024

export const TRAFFIC_HEADINGS = [
  'POD',
  'NAMESPACE',
  'INTERFACE',
  'FRAMES',
  'CONNECTIONS',
  'REQUESTS',
  'KEPT',
  'FILTERED',
  'LOST',
  'LAST PAIR',
  'ADVICE',
]

/**
 * Asks the agent at a URL, or at its configured address.
 *
 * @throws InterceptorError (exit 2) when there is no address, (exit 1) when the program there does not respond as an agent does
 */
export async function fetchPods(url: string | undefined, { admin }: Pick<Config, 'admin'>): Promise<PodsPage> {
  const base = url ?? urlOf(admin.address)
  const page = new URL('/pods', agentUrl(base))
  try {
    const response = await fetch(page, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' })
    const parsed = PODS_PAGE.safeParse(response.ok ? JSON.parse(await bodyOf(response)) : null)
    if (parsed.success) return parsed.data
  } catch (error) {
    throw noAgent(base, error)
  }
  throw noAgent(base, new Error('another program, or an older version, replied'))
}

function noAgent(base: string, error: unknown) {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return runtimeError(`there is no agent at ${base}: ${errorText(cause)}`, {
    hint: 'Run it beside the agent (kubectl exec), or name the agent with --agent http://ADDRESS:PORT (admin.address).',
  })
}

/** @throws InterceptorError (exit 2) */
function agentUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'http:') return url
  throw usageError(`--agent: ${text} is not a URL such as http://127.0.0.1:9464`)
}

function urlOf(address: string): string {
  const at = parseListenAddress(address)
  if (at === null) throw usageError('admin.address is empty, so the agent serves nothing: name an agent with --agent')
  const { host = '127.0.0.1', port } = at
  const isWildcard = host === '0.0.0.0' || host === '::'
  return `http://${isWildcard ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host}:${port}`
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw new Error(`the reply is larger than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** The columns of a pod, by TRAFFIC_HEADINGS. */
export function trafficRow(pod: PodTraffic): string[] {
  const { uid, name, namespace, interfaces, hostNetwork, frames, requests, pairs, abandoned } = pod
  return [
    name ?? uid,
    namespace ?? '-',
    interfaces.length === 0 ? '-' : `${interfaces.join(',')}${hostNetwork ? ' (host)' : ''}`,
    grouped(frames),
    connectionsText(pod),
    grouped(requests),
    grouped(pairs.kept),
    reasonsText(pairs.filtered),
    reasonsText({ ...abandoned, ...pairs.dropped }),
    pod.lastPairMicros === null ? '-' : `${dayOf(pod.lastPairMicros)} ${timeOfDay(pod.lastPairMicros)}`,
    pod.advice,
  ]
}

const PROTOCOLS: Readonly<Record<string, string>> = {
  http1: 'HTTP/1',
  http2: 'HTTP/2',
  tls: 'TLS',
  upgraded: 'WebSocket',
  tunnel: 'CONNECT',
  view: 'kept elsewhere',
}

/** `43: 40 TLS, 3 HTTP/1` */
function connectionsText({ connections: { seen = 0, ...kinds } }: PodTraffic): string {
  const parts = Object.entries(kinds).map(([kind, value]) => `${grouped(value)} ${PROTOCOLS[kind] ?? kind}`)
  return parts.length === 0 ? grouped(seen) : `${grouped(seen)}: ${parts.join(', ')}`
}

/** `12: status 10, path 2` */
function reasonsText(reasons: Readonly<Record<string, number>>): string {
  const entries = Object.entries(reasons)
  const sum = entries.reduce((total, [, value]) => total + value, 0)
  return sum === 0 ? '0' : `${grouped(sum)}: ${entries.map(([name, value]) => `${name} ${grouped(value)}`).join(', ')}`
}
