/** The ledger as stages, each with its losses by reason and the meaning of each reason (docs/ledger.md). Pure. */
import { count, type Ledger } from '../ledger/ledger.ts'
import { MEANINGS } from '../ledger/meanings.ts'
import type { FunnelLoss, FunnelStage } from './protocol.ts'

interface Stage {
  title: string
  unit: string
  in: string
  out: string
  outName: string
  /** Sections whose counters are the stage's losses. */
  losses: readonly string[]
  /** Counters that belong to the stage but are not part of its sum. */
  beside: readonly string[]
}

const STAGES: readonly Stage[] = [
  {
    title: 'Frames',
    unit: 'frame',
    in: 'frames.seen',
    out: 'frames.consumed',
    outName: 'read by an assembler',
    losses: ['frames.skipped', 'frames.dropped', 'frames.lost'],
    beside: ['frames.kernelDropped', 'frames.kernelShed', 'frames.truncated'],
  },
  {
    title: 'Connections',
    unit: 'connection',
    in: 'flows.seen',
    out: 'flows.protocol.http1',
    outName: 'HTTP/1',
    losses: ['flows.protocol.tls', 'flows.protocol.http2', 'flows.protocol.other', 'flows.leftOut'],
    beside: ['flows.midstream', 'flows.oneDirection', 'bytes.gap'],
  },
  {
    title: 'Messages',
    unit: 'request',
    in: 'messages.requests',
    out: 'pairs.assembled',
    outName: 'paired',
    losses: ['requests.abandoned'],
    beside: ['responses.orphaned', 'messages.interim'],
  },
  {
    title: 'Rules',
    unit: 'pair',
    in: 'pairs.assembled',
    out: 'pairs.kept',
    outName: 'kept',
    losses: ['pairs.filtered'],
    beside: [],
  },
  {
    title: 'Output',
    unit: 'pair',
    in: 'pairs.kept',
    out: 'pairs.shipped',
    outName: 'shipped',
    losses: ['pairs.dropped'],
    beside: [],
  },
]

/** The stages of a ledger, in the order of the stream. */
export function funnel(ledger: Ledger): FunnelStage[] {
  return STAGES.map((stage) => {
    const losses = lossesOf(ledger, stage.losses)
    const [entered, out] = [count(ledger, stage.in), count(ledger, stage.out)]
    const left = losses.reduce((sum, loss) => sum + loss.count, 0)
    return {
      title: stage.title,
      unit: stage.unit,
      in: entered,
      out,
      outName: stage.outName,
      losses,
      rest: Math.max(0, entered - out - left),
      beside: lossesOf(ledger, stage.beside),
    }
  })
}

/** The counters of sections that are not 0, largest first. */
function lossesOf(ledger: Ledger, sections: readonly string[]): FunnelLoss[] {
  const losses = sections.flatMap((section) => pathsIn(ledger, section))
  return losses
    .map((path) => ({ path, count: count(ledger, path), meaning: MEANINGS[path] ?? '' }))
    .filter((loss) => loss.count > 0)
    .sort((a, b) => b.count - a.count)
}

/** A counter itself, or the counters in a section. */
function pathsIn(ledger: Ledger, section: string): string[] {
  let at: number | Ledger | undefined = ledger
  for (const name of section.split('.')) at = typeof at === 'object' ? at[name] : undefined
  if (typeof at !== 'object') return at === undefined ? [] : [section]
  return Object.keys(at).map((name) => `${section}.${name}`)
}
