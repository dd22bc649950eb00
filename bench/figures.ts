/**
 * Generates the tables of README.md, docs/performance.md and bench/README.md from the published results (results.ts).
 * Ratios are of CPU time in one run: they differ little between machines, and while a machine is busy.
 */
import type { Part } from './options.ts'
import { figure, type Machine, whole } from './report.ts'
import type { PartResult, Results } from './results.ts'

/** Of a result, as far as the tables show it. */
interface Contender {
  name: string
  pairsPerSecond: { median: number }
  cpuMicrosPerPair: { median: number }
}
interface Offline {
  trace: { name: string }
  results: readonly Contender[]
}
interface Starts {
  starts: readonly { what: string; cpuMs: number }[]
}

/** What stands in a line of the table for users, after the work and the version of Node.js. */
type Cells = readonly [pairsPerSecond: string, cpu: string, tshark: string, go: string]

interface Row {
  what: string
  part: Part
  /** @returns undefined where the part measured something else */
  cells(data: readonly unknown[]): Cells | undefined
}

const ROWS: readonly Row[] = [
  {
    what: 'parsing, pairing and encoding, on one core',
    part: 'offline',
    cells: (data) => offlineCells(data, 'parse stage, one core'),
  },
  {
    what: '`interceptor read -o none`, the whole program',
    part: 'offline',
    cells: (data) => offlineCells(data, 'read -o none'),
  },
  {
    what: '`interceptor read -o ndjson`, the whole program',
    part: 'offline',
    cells: (data) => offlineCells(data, 'read -o ndjson'),
  },
  {
    what: '`interceptor read` of a file with 51 pairs, from start to end',
    part: 'start',
    cells: (data) => startCells(data as readonly Starts[]),
  },
]

const TRACES = ['small', 'api']

/** How many times as much CPU time as ours a reference program needs. */
const ratio = (ours: number, reference: number | undefined): string =>
  reference === undefined ? '' : `${figure(reference / ours)} ×`

const resultsOf = (data: readonly unknown[], trace: string): readonly Contender[] =>
  (data as readonly Offline[]).find(({ trace: { name } }) => name === trace)?.results ?? []

function offlineCells(data: readonly unknown[], name: string): Cells | undefined {
  const results = resultsOf(data, 'api')
  const ours = results.find((result) => result.name === name)
  if (ours === undefined) return undefined
  const cost = (start: string): number | undefined =>
    results.find((result) => result.name.startsWith(start))?.cpuMicrosPerPair.median
  const micros = ours.cpuMicrosPerPair.median
  return [rate(ours), `${figure(micros)} µs a pair`, ratio(micros, cost('tshark')), ratio(micros, cost('Go'))]
}

function startCells(data: readonly Starts[]): Cells | undefined {
  const cost = (word: string): number | undefined =>
    data.flatMap(({ starts }) => starts).find(({ what }) => what.includes(word))?.cpuMs
  const ours = cost('`read`')
  return ours === undefined ? undefined : ['', `${whole(ours)} ms`, ratio(ours, cost('tshark')), '']
}

/** Three figures that count: 598,000. */
const rate = ({ pairsPerSecond: { median } }: Contender): string => whole(Number(median.toPrecision(3)))

const placeOf = ({ date, cpus, cpu, load, node }: Machine): string =>
  `${date}, ${cpus} × ${cpu}, Node.js ${node.slice(1)}, load ${load}`

const majorsOf = (results: Results): string[] => Object.keys(results).sort((a, b) => Number(b) - Number(a))

/** When and where each part was measured: parts that one run measured stand together. */
function places(results: Results, parts: ReadonlySet<Part>): string {
  const byPlace = new Map<string, Part[]>()
  for (const major of majorsOf(results)) {
    for (const part of parts) {
      const machine = results[major][part]?.machine
      if (machine === undefined) continue
      const place = placeOf(machine)
      byPlace.set(place, [...(byPlace.get(place) ?? []), part])
    }
  }
  return [...byPlace]
    .map(([place, measured]) => `- ${measured.map((part) => `\`${part}\``).join(', ')}: ${place}\n`)
    .join('')
}

const line = (cells: readonly string[]): string =>
  `|${cells.map((cell) => (cell === '' ? ' ' : ` ${cell} `)).join('|')}|\n`

/** For users: rates and ratios of API-like traffic, one line for each version of Node.js, and when it was measured. */
export function figuresText(results: Results): string {
  const lines = ROWS.flatMap(({ what, part, cells }) =>
    majorsOf(results).flatMap((major) => {
      const result: PartResult | undefined = results[major][part]
      const measured = result === undefined ? undefined : cells(result.data)
      return measured === undefined ? [] : [line([what, major, ...measured])]
    }),
  )
  const head = `${line(['API-like traffic, 2.5 KB and 4 frames a pair', 'Node.js', 'pairs/s', 'CPU time', 'tshark needs', 'a Go program on gopacket needs'])}|---|--:|--:|--:|--:|--:|\n`
  return `${head}${lines.join('')}\nMeasured in one run of \`npm run bench\`:\n\n${places(results, new Set(ROWS.map(({ part }) => part)))}`
}

/** For developers: every contender of `offline` over both traces. */
export function ratesText(results: Results): string {
  const majors = majorsOf(results).filter((major) => results[major].offline !== undefined)
  const tables = majors.map((major) => {
    const [first, ...rest] = TRACES.map((trace) => resultsOf(results[major].offline?.data ?? [], trace))
    const lines = first.map(({ name }) => {
      const traces = [first, ...rest].map((contenders) => contenders.find((contender) => contender.name === name))
      return line([
        name,
        ...traces.flatMap((each) =>
          each === undefined ? ['', ''] : [rate(each), figure(each.cpuMicrosPerPair.median)],
        ),
      ])
    })
    const columns = TRACES.flatMap((trace) => [`\`${trace}\`: pairs/s`, 'CPU µs/pair'])
    return `${line([`Node.js ${major}`, ...columns])}|---|${'--:|'.repeat(columns.length)}\n${lines.join('')}\n`
  })
  return `${tables.join('')}Measured by \`npm run bench -- --only offline\`:\n\n${places(results, new Set<Part>(['offline']))}`
}
