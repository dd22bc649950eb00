/**
 * Generates the table in README.md that compares the program with others from the published results (results.ts). It
 * has ratios of CPU time in one run, which differ little between machines, and while a machine is busy.
 */
import type { Part } from './options.ts'
import { figure, type Machine } from './report.ts'
import type { PartResult, Results } from './results.ts'

/** Of a result, as far as the table shows it. */
interface Offline {
  trace: { name: string; pairs: number | null }
  results: readonly { name: string; cpuMicrosPerPair: { median: number } }[]
}
interface Starts {
  starts: readonly { what: string; cpuMs: number }[]
}

interface Row {
  what: string
  part: Part
  /** @returns '' where the part measured something else, or no reference program */
  text(data: readonly unknown[]): string
}

const ROWS: readonly Row[] = [
  {
    what: 'parsing, pairing and encoding API-like traffic of 2.5 KB and 4 frames a pair, on one core',
    part: 'offline',
    text: (data) => offlineText(data, 'parse stage, one core'),
  },
  {
    what: '`interceptor read` of the same file, the whole program',
    part: 'offline',
    text: (data) => offlineText(data, 'read -o none'),
  },
  {
    what: '`interceptor read` of a file with 51 pairs, from start to end',
    part: 'start',
    text: (data) => startText(data as readonly Starts[]),
  },
]

/** How many times as much CPU time as ours the reference programs need, as far as they were measured. */
function referencesText(ours: number | undefined, go: number | undefined, tshark: number | undefined): string {
  if (ours === undefined) return ''
  const references = [
    ...(tshark === undefined ? [] : [`tshark needs ${figure(tshark / ours)} times as much`]),
    ...(go === undefined ? [] : [`a Go program on gopacket ${figure(go / ours)} times`]),
  ]
  return references.join(', ')
}

function offlineText(data: readonly unknown[], name: string): string {
  const results = (data as readonly Offline[]).find(({ trace }) => trace.name === 'api')?.results ?? []
  const cost = (start: string): number | undefined =>
    results.find((result) => result.name.startsWith(start))?.cpuMicrosPerPair.median
  return referencesText(cost(name), cost('Go'), cost('tshark'))
}

function startText(data: readonly Starts[]): string {
  const cost = (word: string): number | undefined =>
    data.flatMap(({ starts }) => starts).find(({ what }) => what.includes(word))?.cpuMs
  return referencesText(cost('`read`'), undefined, cost('tshark'))
}

const placeOf = ({ date, cpus, cpu, load, node }: Machine): string =>
  `${date}, ${cpus} × ${cpu}, Node.js ${node.slice(1)}, load ${load}`

/** When and where each part was measured: parts that one run measured stand together. */
function places(results: Results, majors: readonly string[]): string {
  const parts = new Set(ROWS.map(({ part }) => part))
  const byPlace = new Map<string, Part[]>()
  for (const major of majors) {
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

/** The table, with a column for each version of Node.js, and below it when and where it was measured. */
export function figuresText(results: Results): string {
  const majors = Object.keys(results).sort((a, b) => Number(b) - Number(a))
  const text = (row: Row, result?: PartResult): string => (result === undefined ? '' : row.text(result.data))
  const rows = ROWS.map((row) => [row.what, ...majors.map((major) => text(row, results[major][row.part]))])
  const measured = rows.filter(([, ...texts]) => texts.some((each) => each !== ''))
  const lines = measured.map((cells) => `|${cells.map((cell) => ` ${cell} `).join('|')}|\n`)
  const head = `| CPU time |${majors.map((major) => ` Node.js ${major} |`).join('')}\n|---|${'---|'.repeat(majors.length)}\n`
  return `${head}${lines.join('')}\nCompared in one run of \`npm run bench\`:\n\n${places(results, majors)}`
}
