/** Texts that several views show. */

import { grouped } from '../../format/units.ts'
import type { PairRow } from '../protocol.ts'

export { counted, dayOf, grouped, shortDuration, shortSize, timeOfDay } from '../../format/units.ts'

/** A rate, requests per second. */
export const rate = (perSecond: number): string =>
  perSecond >= 100 ? grouped(Math.round(perSecond)) : perSecond.toFixed(perSecond >= 10 ? 0 : 1)

/** The class of a status, for its colour. */
export const statusClass = (status: number): string =>
  status >= 500 ? 'bad' : status >= 400 ? 'warn' : status >= 300 ? 'muted' : 'ok'

/** The name of a pair's server: the Host field of the request, else the address. */
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

/** The section of that page that explains a counter. */
export const counterDocument = (path: string): string =>
  `${LEDGER_DOCUMENT}#${SECTIONS[path.split('.', 1)[0] ?? ''] ?? 'laws'}`
