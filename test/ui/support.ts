/** Shared by the tests of the page: generated traffic, served by the real server. */
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { ROOT } from '../../rig/root.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { createLogger } from '../../src/log/logger.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { PairSelector } from '../../src/select/selector.ts'
import { FilteredCounts } from '../../src/ui/filtered-counts.ts'
import type { StoreBounds } from '../../src/ui/pair-store.ts'
import type { TargetsView } from '../../src/ui/protocol.ts'
import { serveUi } from '../../src/ui/server.ts'
import type { UiSource } from '../../src/ui/source.ts'
import { UiTraffic } from '../../src/ui/traffic.ts'

/** The page's files, built by `npm run build`. */
export const PAGE = join(ROOT, 'dist/src/ui/page')

export interface ServedUi {
  /** `http://127.0.0.1:1234` */
  base: string
  token: string
  /** The printed address. */
  url: string
  traffic: UiTraffic
  source: UiSource
  /** Log lines. */
  lines: string[]
  /** Ends the server, like Ctrl-C. */
  close(): Promise<void>
}

export interface UiContent {
  pairs?: readonly Pair[]
  ledger?: Ledger | null
  targets?: TargetsView
  kind?: UiSource['kind']
  bounds?: StoreBounds
}

/** Serves pairs until the test ends, or until `until` resolves. */
export async function serveTraffic(t: Pick<TestContext, 'after'>, content: UiContent = {}): Promise<ServedUi> {
  const { pairs = [], ledger = null, kind = 'file' } = content
  const { targets = { of: null, rows: [], leftOut: 0 } } = content
  const traffic = new UiTraffic(content.bounds)
  for (const pair of pairs) traffic.add(packPair(pair))
  const source: UiSource = {
    kind,
    title: 'made up',
    ended: kind === 'file',
    failure: null,
    ledger: async () => ledger,
    targets: async () => targets,
  }
  const lines: string[] = []
  const log = createLogger({ level: 'info', form: 'lines', write: (line) => lines.push(line) })
  const select = (parameters: URLSearchParams): Promise<PairSelector | null> =>
    PairSelector.create({ grep: parameters.getAll('grep'), where: parameters.get('where') })
  const data = { traffic, filtered: new FilteredCounts(traffic), source, select }
  const server = await serveUi({ listen: '127.0.0.1:0', allowRemote: false, data, log })
  t.after(() => server.close())
  const [base = '', token = ''] = server.url.split('/#token=')
  return { base, token, url: server.url, traffic, source, lines, close: () => server.close() }
}
