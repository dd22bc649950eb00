/**
 * Golden captures: their expected lists, the real program run over a capture file, and the comparison of both as
 * multisets. test/fixtures/README.md describes the lists.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Unpackr } from 'msgpackr'
import { PROGRAM } from '../../rig/root.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Message, Pair } from '../../src/pair/pair.ts'
import { unpackPair } from '../../src/pair/unpack.ts'

/** A body as sent, after de-chunking and still encoded; sizes in bytes. */
export interface Body {
  size: number
  sha256?: string
}

/** One exchange logged by the server. Absent bodies are unknown. */
export interface Exchange {
  method: string
  target: string
  status: number
  requestBody?: Body
  responseBody?: Body
  /** `must` be emitted (the default), `may` be, or `never`. */
  expect?: 'must' | 'may' | 'never'
  why?: string
}

/** An emitted pair, reduced to what the server's log contains too. */
export interface Emitted {
  id: string
  serverPort: number
  method: string
  target: string
  status: number
  requestBody: Required<Body>
  responseBody: Required<Body>
}

/** The result of a run of the program. */
export interface Run {
  code: number
  pairs: Emitted[]
  /** The same pairs as emitted, in MessagePack. */
  raw: Uint8Array[]
  ledger: Ledger
  stderr: string
}

const fromRoot = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/** The folder of the captures. */
const FIXTURES = fromRoot('test/fixtures')

/** The example capture of the README's first command. */
export const EXAMPLE = fromRoot('examples/shop.pcap.gz')

/** Names of all golden captures, sorted. */
export function goldenNames(): string[] {
  return readdirSync(FIXTURES)
    .filter((name) => name.endsWith('.expected.ndjson'))
    .map((name) => name.replace('.expected.ndjson', ''))
    .sort()
}

/** The capture file of that name. */
export const captureFile = (name: string): string => join(FIXTURES, `${name}.pcap.gz`)

/** The expected list of that name. */
export function expectedOf(name: string): Exchange[] {
  const lines = readFileSync(join(FIXTURES, `${name}.expected.ndjson`), 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Exchange)
}

const bodyOf = ({ body }: Message): Required<Body> => ({
  size: body.length,
  sha256: createHash('sha256').update(body).digest('hex'),
})

function emittedOf(raw: Uint8Array): Emitted {
  const pair: Pair | Error = unpackPair(raw)
  if (pair instanceof Error) throw pair
  const { id, server, request, response } = pair
  return {
    id,
    serverPort: server.port,
    method: request.method,
    target: request.target,
    status: response.status,
    requestBody: bodyOf(request),
    responseBody: bodyOf(response),
  }
}

/** Splits a file of consecutive MessagePack values. */
function valuesOf(bytes: Buffer): Uint8Array[] {
  const values: Uint8Array[] = []
  if (bytes.length === 0) return values
  new Unpackr({ useRecords: false }).unpackMultiple(bytes, (_value, start, end) => {
    values.push(bytes.subarray(start, end))
  })
  return values
}

/**
 * Runs `interceptor read` on capture files with the program's own threads and rings, with `--all` unless set otherwise.
 * Bodies stay as sent. Rejects only if the program cannot be started.
 */
export async function readCapture(files: readonly string[], { all = true } = {}): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-golden-'))
  const [out, summary] = [join(folder, 'pairs.msgpack'), join(folder, 'summary.json')]
  try {
    const options = ['read', ...(all ? ['--all'] : []), '--no-decode', '-o', 'msgpack', '-w', out, '--summary', summary]
    const child = spawn(process.execPath, [PROGRAM, ...options, ...files], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (status) => resolve(status ?? -1))
    })
    const raw = valuesOf(readFileSync(out))
    const ledger = JSON.parse(readFileSync(summary, 'utf8')) as Ledger
    return { code, pairs: raw.map(emittedOf), raw, ledger, stderr }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const bodyFits = (known: Body | undefined, seen: Required<Body>): boolean =>
  known === undefined || (known.size === seen.size && (known.sha256 === undefined || known.sha256 === seen.sha256))

const fits = (exchange: Exchange, pair: Emitted): boolean =>
  exchange.method === pair.method &&
  exchange.target === pair.target &&
  exchange.status === pair.status &&
  bodyFits(exchange.requestBody, pair.requestBody) &&
  bodyFits(exchange.responseBody, pair.responseBody)

const brief = (of: Exchange | Emitted): string =>
  `${of.method} ${of.target.slice(0, 100)} ${of.status} ${of.requestBody?.size ?? '?'}B ${of.responseBody?.size ?? '?'}B`

/** Differences between a run and an expected list: unexpected pairs and missing exchanges. */
export interface Difference {
  others: string[]
  missing: string[]
}

/**
 * Compares as multisets. Each pair is matched with one exchange: a required one before an optional one, and the one
 * with most information about bodies first. Pairs with equal ids count once.
 */
export function compare(expected: readonly Exchange[], pairs: readonly Emitted[]): Difference {
  const detail = (exchange: Exchange): number =>
    ((exchange.expect ?? 'must') === 'must' ? 4 : 0) +
    (exchange.requestBody?.sha256 === undefined ? 0 : 2) +
    (exchange.responseBody?.sha256 === undefined ? 0 : 1)
  const open = new Map<string, Exchange[]>()
  const keyOf = (of: Exchange | Emitted): string => `${of.method} ${of.target} ${of.status}`
  for (const exchange of [...expected].sort((a, b) => detail(b) - detail(a))) {
    if (exchange.expect === 'never') continue
    const same = open.get(keyOf(exchange))
    if (same === undefined) open.set(keyOf(exchange), [exchange])
    else same.push(exchange)
  }
  const others: string[] = []
  for (const pair of new Map(pairs.map((pair) => [pair.id, pair])).values()) {
    const same = open.get(keyOf(pair)) ?? []
    const at = same.findIndex((exchange) => fits(exchange, pair))
    if (at < 0) others.push(brief(pair))
    else same.splice(at, 1)
  }
  const left = [...open.values()].flat().filter((exchange) => (exchange.expect ?? 'must') === 'must')
  return { others, missing: left.map(brief) }
}
