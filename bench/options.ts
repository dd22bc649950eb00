/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'
import { positive } from '../rig/command-line.ts'
import { GO_PEER_SOURCE } from './go-peer.ts'

/** What can be measured, in the order in which it is. */
const PARTS = [
  'offline',
  'start',
  'allocation',
  'capture',
  'live',
  'live-kafka',
  'ship',
  'latency',
  'discovery',
  'idle',
  'memory',
  'floods',
  'costs',
  'image',
] as const
export type Part = (typeof PARTS)[number]

export const HELP = `Usage: npm run bench -- [options]

Measures the program beside others over generated traffic and prints tables.

  --quick          traces of 20,000 pairs instead of 200,000, fewer rounds
  --pairs N        pairs of each trace
  --rounds N       how often each contender runs (default 5; --quick: 2)
  --only PARTS     of ${PARTS.join(', ')}; separated by commas
  --minutes N      how long memory is watched (default 10; --quick: half a minute)
  --workers N      assemblers in live capture (default 2)
  --trace FILE     a pcap file of Ethernet frames, instead of the generated traces; repeatable
  --go-peer DIR    where the Go program to compare with has its source
  --json FILE      everything measured, as JSON
  --check PERCENT  end with 1 when a ratio to a reference is that much lower than in bench/baseline.json
  --store          write the ratios of this run into bench/baseline.json
  --publish        write what was measured into bench/results.json, from which \`npm run generate\` makes README's figures
  --help

Needs Linux. What else is missing here (root, tcpreplay, tshark, Go, Java) is named at the end.
`

export interface BenchOptions {
  parts: readonly Part[]
  pairs: number
  rounds: number
  minutes: number
  workers: number
  traces: readonly string[]
  goPeer: string
  json: string | null
  /** By how many percent a ratio may be lower than the baseline's; null: nothing is compared. */
  check: number | null
  store: boolean
  publish: boolean
}

/** @throws Error naming the argument that is wrong */
export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      pairs: { type: 'string' },
      rounds: { type: 'string' },
      only: { type: 'string' },
      minutes: { type: 'string' },
      workers: { type: 'string', default: '2' },
      trace: { type: 'string', multiple: true, default: [] },
      'go-peer': { type: 'string', default: GO_PEER_SOURCE },
      json: { type: 'string' },
      check: { type: 'string' },
      store: { type: 'boolean', default: false },
      publish: { type: 'boolean', default: false },
    },
  })
  const { quick } = values
  return {
    parts: values.only === undefined ? PARTS : values.only.split(',').map(partNamed),
    pairs: positive('--pairs', values.pairs ?? (quick ? '20000' : '200000')),
    rounds: positive('--rounds', values.rounds ?? (quick ? '2' : '5')),
    minutes: positive('--minutes', values.minutes ?? (quick ? '0.5' : '10')),
    workers: positive('--workers', values.workers),
    traces: values.trace,
    goPeer: values['go-peer'],
    json: values.json ?? null,
    check: values.check === undefined ? null : positive('--check', values.check),
    store: values.store,
    publish: values.publish,
  }
}

function partNamed(name: string): Part {
  const part = PARTS.find((known) => known === name)
  if (part === undefined) throw new Error(`--only ${name}: there are ${PARTS.join(', ')}`)
  return part
}
