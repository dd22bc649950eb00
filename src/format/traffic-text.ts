/** Formats the counts of an interface or a pod for people: `interceptor pods --traffic`, advice, the page. Pure. */
import { grouped } from './units.ts'

/** Counts by name or reason. */
export type Counts = Readonly<Record<string, number>>

/** TCP connections of an interface or a pod. */
export interface ConnectionCounts {
  /** `seen`, and of those the ones of each protocol, the ones left out, and the ones not recognised. */
  readonly connections: Counts
  /** TLS connections by server name, and those of other protocols by protocol: the most frequent. */
  readonly serverNames: Counts
  readonly protocols: Counts
}

const NAMES: Readonly<Record<string, string>> = {
  http1: 'HTTP/1',
  http2: 'HTTP/2',
  tls: 'TLS',
  view: 'kept elsewhere',
}

/** `43: 40 TLS to api.example.com, 2 HTTP/1 (1 WebSocket), 1 other (Redis)` */
export function connectionsText({ connections, serverNames, protocols }: ConnectionCounts): string {
  const { seen = 0, upgraded = 0, tunnel = 0, ...kinds } = connections
  const parts = Object.entries(kinds).map(([kind, value]) => {
    const text = `${grouped(value)} ${NAMES[kind] ?? kind}`
    if (kind === 'tls') return text + mostFrequent(' to ', serverNames)
    if (kind === 'other') return text + inParentheses(mostFrequent('', protocols))
    return kind === 'http1' ? text + inParentheses(laterText(upgraded, tunnel)) : text
  })
  return parts.length === 0 ? grouped(seen) : `${grouped(seen)}: ${parts.join(', ')}`
}

/** Later states of HTTP/1 connections, which also count as HTTP/1. */
const laterText = (upgraded: number, tunnel: number): string =>
  [
    ...(upgraded > 0 ? [`${grouped(upgraded)} WebSocket`] : []),
    ...(tunnel > 0 ? [`${grouped(tunnel)} CONNECT`] : []),
  ].join(', ')

const inParentheses = (text: string): string => (text === '' ? '' : ` (${text})`)

const MOST_NAMED = 3

/** The most frequent names behind a word: ` to a, b, c and 2 more`; empty without names. */
export function mostFrequent(before: string, names: Counts): string {
  const all = largest(names).map(([name]) => name)
  if (all.length === 0) return ''
  const rest = all.length - MOST_NAMED
  return `${before}${all.slice(0, MOST_NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** `12: status 10, path 2` */
export function reasonsText(reasons: Counts): string {
  const total = sum(reasons)
  return total === 0
    ? '0'
    : `${grouped(total)}: ${largest(reasons)
        .map(([name, value]) => `${name} ${grouped(value)}`)
        .join(', ')}`
}

/** The sum of counts. */
export const sum = (counts: Counts): number => Object.values(counts).reduce((total, count) => total + count, 0)

/** Names and their counts, the largest first. */
export const largest = (counts: Counts): [name: string, count: number][] =>
  Object.entries(counts).sort((left, right) => right[1] - left[1])
