/** The summary of a run: a line for the user, and the ledger as JSON. */

import { writeFileSync } from 'node:fs'
import { fileErrorText, runtimeError } from '../errors.ts'
import { counted, grouped } from '../format/units.ts'
import { count, type Ledger, reasonsOf } from '../ledger/ledger.ts'
import type { Outcome } from '../supervisor/options.ts'
import type { SinkName } from './output.ts'
import { writeError } from './terminal.ts'

/** Most damaged places that are reported one by one. */
const DAMAGE_SHOWN = 5

/**
 * Writes the ledger.
 *
 * @param target  a file, or `-` for standard error
 * @throws InterceptorError (EXIT_RUNTIME) if the file cannot be written
 */
export function writeLedger(target: string, ledger: Ledger): void {
  const text = `${JSON.stringify(ledger)}\n`
  if (target === '-') {
    writeError(text)
    return
  }
  try {
    writeFileSync(target, text)
  } catch (error) {
    throw runtimeError(`cannot write the summary to ${target}: ${fileErrorText(error)}`, { cause: error })
  }
}

/** Describes the first damaged places, one per line, and counts the rest. */
export function damageLines(outcome: Outcome): string[] {
  const lines = outcome.damage.slice(0, DAMAGE_SHOWN).map(({ path, offset, reason }) => {
    const name = path === '-' ? 'standard input' : path
    return offset === null ? `${name}: ${reason}` : `${name}: damaged at byte ${offset}: ${reason}`
  })
  const more = outcome.damage.length - lines.length
  return more > 0 ? [...lines, `${counted(more, 'more damaged place')}`] : lines
}

const VERBS: Record<SinkName, string> = { stdout: 'shown', file: 'written', kafka: 'shipped to Kafka', none: 'counted' }

/** Facts about a run that are not in its ledger. */
export interface RunFacts {
  sink: SinkName
  /** Whether --all was given; the summary then does not suggest it. */
  all: boolean
  /** -c */
  limit: number | null
  /** Whether a signal ended the run. */
  signalled: boolean
}

/**
 * Summarises a run in one line: the pairs, or else the traffic that led to none, and how to show it.
 *
 * @returns null if the reader of the output has closed it, as `head` does: the summary would be noise
 */
export function summaryLine(ledger: Ledger, { sink, all, limit, signalled }: RunFacts): string | null {
  const done = count(ledger, 'pairs.shipped')
  if (limit !== null && done >= limit) return `${counted(done, 'pair')} ${VERBS[sink]}; stopped by -c ${limit}`
  const outputGone = sink === 'stdout' && !signalled && count(ledger, 'pairs.dropped.shutdown') > 0
  if (outputGone) return null
  const clauses = [
    done === 0 ? `no pairs ${VERBS[sink]}` : `${counted(done, 'pair')} ${VERBS[sink]}`,
    ...reasonClause(ledger, 'pairs.filtered', 'pair', 'filtered'),
    ...reasonClause(ledger, 'pairs.dropped', 'pair', 'dropped'),
    ...reasonClause(ledger, 'requests.abandoned', 'request', 'without a response'),
    ...reasonClause(ledger, 'frames.dropped', 'frame', 'dropped'),
    ...reasonClause(ledger, 'frames.lost', 'frame', 'lost'),
    ...kernelClause(ledger),
  ]
  const nothing = count(ledger, 'pairs.kept') === 0
  const seen = nothing ? [...oneDirection(ledger), ...nothingSeen(ledger), ...advice(ledger, all)] : []
  return [...clauses, ...seen].join('; ')
}

/**
 * The traffic of a live capture that has no pair yet: `no pairs yet; 3 pairs filtered (contentType 3); 12 connections
 * seen (9 TLS)`.
 */
export function waitingLine(ledger: Ledger): string {
  const filtered = reasonClause(ledger, 'pairs.filtered', 'pair', 'filtered')
  return ['no pairs yet', ...filtered, ...oneDirection(ledger), ...nothingSeen(ledger)].join('; ')
}

/** Messages of one kind only: with asymmetric routing, or a mirror port that copies one direction, none can be paired. */
function oneDirection(ledger: Ledger): string[] {
  const [requests, responses] = [count(ledger, 'messages.requests'), count(ledger, 'messages.responses')]
  const isSeen = count(ledger, 'flows.oneDirection') > 0
  if (requests > 0 || responses === 0) return isSeen && requests > 0 && responses === 0 ? [ONE_DIRECTION] : []
  return [`${counted(responses, 'response')} without a request${isSeen ? `: ${ONE_DIRECTION}` : ''}`]
}

const ONE_DIRECTION = 'only one direction is seen'

/** Why there is no pair: the traffic that led to none. */
function nothingSeen(ledger: Ledger): string[] {
  if (count(ledger, 'frames.seen') === 0) return ['no frames were seen']
  if (count(ledger, 'flows.seen') === 0) {
    // Nobody has looked at those, and they have a clause.
    if (count(ledger, 'frames.lost') > 0) return []
    const frames = counted(count(ledger, 'frames.seen'), 'frame')
    if (count(ledger, 'frames.skipped.filter') === count(ledger, 'frames.seen'))
      return [`${frames}, all rejected by the filter`]
    return [`${frames}, none with readable TCP`]
  }
  const kinds = [
    ['flows.protocol.tls', 'TLS'],
    ['flows.protocol.http2', 'HTTP/2'],
    ['flows.protocol.other', 'another protocol'],
  ] as const
  const seen = kinds
    .map(([path, name]) => [count(ledger, path), name] as const)
    .filter(([flows]) => flows > 0)
    .map(([flows, name]) => `${grouped(flows)} ${name}`)
  const flows = counted(count(ledger, 'flows.seen'), 'connection')
  return [seen.length === 0 ? `${flows} seen` : `${flows} seen (${seen.join(', ')})`]
}

/** Filters that `--all` does not disable. */
const NOT_BY_ALL = ['pairBytes', 'include', 'selection']

function advice(ledger: Ledger, all: boolean): string[] {
  const others = NOT_BY_ALL.reduce((sum, reason) => sum + count(ledger, `pairs.filtered.${reason}`), 0)
  const filtered = count(ledger, 'pairs.filtered') - others
  return filtered > 0 && !all ? ['use --all to show filtered pairs'] : []
}

function reasonClause(ledger: Ledger, path: string, noun: string, what: string): string[] {
  const sum = count(ledger, path)
  if (sum === 0) return []
  const shown = Object.entries(reasonsOf(ledger, path)).map(([reason, value]) => `${reason} ${grouped(value)}`)
  return [`${counted(sum, noun)} ${what} (${shown.join(', ')})`]
}

function kernelClause(ledger: Ledger): string[] {
  const dropped = count(ledger, 'frames.kernelDropped')
  return dropped === 0 ? [] : [`${counted(dropped, 'frame')} dropped by the kernel`]
}
