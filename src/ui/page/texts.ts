/** Texts that several views show. */

import { grouped } from '../../format/units.ts'
import type { PairRow } from '../protocol.ts'

export { dayOf, grouped, shortDuration, shortSize, timeOfDay } from '../../format/units.ts'

/** A rate, requests per second. */
export const rate = (perSecond: number): string =>
  perSecond >= 100 ? grouped(Math.round(perSecond)) : perSecond.toFixed(perSecond >= 10 ? 0 : 1)

/** `1 pair`, `2 pairs` */
export const counted = (count: number, unit: string): string =>
  `${grouped(count)} ${count === 1 ? unit.replace(/s$/, '') : unit}`

/** The class of a status, for its colour. */
export const statusClass = (status: number): string =>
  status >= 500 ? 'bad' : status >= 400 ? 'warn' : status >= 300 ? 'muted' : 'ok'

/** What the server of a pair is called: the name it was asked for, else its address. */
export const serverName = ({ host, server }: PairRow): string => host || server

/** The page of the documentation that explains the ledger. */
export const LEDGER_DOCUMENT = 'https://github.com/interceptor-agent/interceptor/blob/main/docs/ledger.md'

const SECTIONS: Readonly<Record<string, string>> = {
  frames: 'frames',
  interfaces: 'frames',
  flows: 'connections',
  segments: 'connections',
  gaps: 'connections',
  messages: 'messages',
  requests: 'messages',
  responses: 'messages',
  pairs: 'pairs',
}

/** Where that page explains a counter. */
export const counterDocument = (path: string): string =>
  `${LEDGER_DOCUMENT}#${SECTIONS[path.split('.', 1)[0] ?? ''] ?? 'laws'}`
