/** Golden transcripts: every case of cases/*.md in every segmentation. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import type { Message, Pair, SocketAddress } from '../../../src/pair/pair.ts'
import { type AssembleRun, assemble, type HarnessOptions } from '../../support/assemble-harness.ts'
import { cutAll, RST, type Segment, TcpScript } from '../../support/tcp-script.ts'
import { type Case, readCases, writeExpectations } from './case-file.ts'

/** The sources: tests run from the compiled tree beside them. */
const FOLDER = fileURLToPath(new URL('../../../../test/assemble/http1/cases/', import.meta.url))
const UPDATE = process.env['UPDATE_CASES'] === '1'
const LARGE = 20_000
const WHOLE = 70_000
/** Small regions, because every case has a hundred runs. */
const OPTIONS: HarnessOptions = { messageBytes: 262_144, pairBytes: 262_144, poolBytes: 1024 * 1024, flows: 16 }

for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.md') && file !== 'README.md')) {
  const path = `${FOLDER}${name}`
  const cases = readCases(path)
  describe(`transcripts: ${name.replace('.md', '')}`, () => {
    const outcomes = new Map<string, string>()
    for (const golden of cases) {
      test(golden.title, () => {
        const segments = play(golden)
        const whole = assemble(segments, OPTIONS)
        outcomes.set(golden.title, describeRun(whole))
        if (!UPDATE) assert.equal(describeRun(whole), golden.expected)
        if (golden.chunks === 'whole') return
        const compare = golden.chunks === 'any' ? assertSame : assertFewer
        for (const [how, cut] of cuttings(segments)) compare(whole, assemble(cut, OPTIONS), how)
      })
    }
    after(() => {
      if (UPDATE) writeExpectations(path, outcomes)
    })
  })
}

function play({ steps }: Case): Segment[] {
  const script = new TcpScript({ segmentBytes: WHOLE }).handshake()
  const open = new Set<'client' | 'server'>(['client', 'server'])
  let reset = false
  for (const step of steps) {
    if (step.act === 'send') script.send(step.side, step.bytes)
    else if (step.act === 'close') script.fin(step.side)
    else script.reset(step.side)
    if (step.act !== 'send') open.delete(step.side)
    reset ||= step.act === 'reset'
  }
  if (!reset) for (const side of open) script.fin(side)
  return script.segments.flatMap((segment) => cutAll([segment], 65_000, 65_000))
}

/** The same conversation in other segments, with names for failure messages. */
function* cuttings(segments: readonly Segment[]): Generator<[string, Segment[]]> {
  const longest = Math.max(...segments.map(({ payload }) => payload.length))
  for (const size of sizes(longest)) {
    yield [`client in segments of ${size}`, cutAll(segments, size, WHOLE)]
    yield [`server in segments of ${size}`, cutAll(segments, WHOLE, size)]
    yield [`both in segments of ${size}`, cutAll(segments, size, size)]
  }
  // A reset that is captured before the segment it answers ends the connection there.
  if (segments.some(({ flags }) => (flags & RST) !== 0)) return
  yield ['server captured first', serverFirst(segments)]
  const small = sizes(longest)[0] ?? 1
  yield ['server captured first, in small segments', serverFirst(cutAll(segments, small * 4, small * 3))]
}

/** Every size for a small conversation, some for a large one, whose tiny segments would test nothing new. */
function sizes(longest: number): number[] {
  const all: number[] = []
  for (let size = longest > LARGE ? 500 : 1; size < longest; size += size < 48 ? 1 : Math.ceil(size / 3)) all.push(size)
  return all
}

/** Moves each run of client segments after the server's segments that follow it; the handshake stays. */
function serverFirst(segments: readonly Segment[]): Segment[] {
  const handshake = segments.slice(0, 3)
  const swapped: Segment[] = []
  let client: Segment[] = []
  let server: Segment[] = []
  for (const segment of segments.slice(3)) {
    if (segment.fromClient && server.some(({ payload }) => payload.length > 0)) {
      swapped.push(...server, ...client)
      client = []
      server = []
    }
    if (segment.fromClient) client.push(segment)
    else server.push(segment)
  }
  return [...handshake, ...swapped, ...server, ...client]
}

function assertSame(expected: AssembleRun, actual: AssembleRun, how: string): void {
  assert.equal(describeRun(actual), describeRun(expected), how)
  assert.deepEqual(
    actual.pairs.map(({ id }) => id),
    expected.pairs.map(({ id }) => id),
    how,
  )
}

/** Whether every pair is one of the unsegmented run. */
function assertFewer(expected: AssembleRun, actual: AssembleRun, how: string): void {
  const known = expected.pairs.map((pair) => describePair(pair).join('\n'))
  for (const pair of actual.pairs)
    assert.ok(known.includes(describePair(pair).join('\n')), `${how}: ${describePair(pair)}`)
}

const SECTIONS = ['messages', 'requests', 'responses', 'flows.protocol']

/** A run as an `expect` block shows it. */
function describeRun({ pairs, ledger }: AssembleRun): string {
  const counts = SECTIONS.map((section) => [section, nonZero(ledger, section)] as const).filter(
    ([, text]) => text !== '',
  )
  return [...pairs.flatMap(describePair), ...counts.map(([section, text]) => `${section}: ${text}`), ''].join('\n')
}

function nonZero(ledger: Ledger, section: string): string {
  const at = section.split('.').reduce<Ledger | number | undefined>((inner, name) => (inner as Ledger)[name], ledger)
  const flat = (value: Ledger, prefix: string): string[] =>
    Object.entries(value).flatMap(([name, inner]) => {
      if (typeof inner === 'object') return flat(inner, `${name} `)
      return inner === 0 ? [] : [`${prefix}${name} ${inner}`]
    })
  return flat(at as Ledger, '').join(', ')
}

function describePair({ request, response, capture, flags }: Pair): string[] {
  const { source, destination } = capture.proxyProtocol ?? {}
  return [
    `${request.method} ${shorten(request.target)} ${describeMessage(request)}`,
    ...headers(request),
    `${response.status} ${response.reason} ${describeMessage(response)}`,
    ...headers(response),
    ...(source && destination ? [`  proxyProtocol: ${describeEnd(source)} to ${describeEnd(destination)}`] : []),
    ...(flags.length > 0 ? [`  flags: ${flags.join(', ')}`] : []),
  ]
}

const describeEnd = ({ address, port }: SocketAddress): string => `${address} ${port}`

function describeMessage({ httpVersion, wireSize, body, bodySize }: Message): string {
  assert.equal(bodySize, body.length)
  const text = Buffer.from(body).toString('latin1')
  const shown = text.length > 100 ? `${text.length} bytes of ${JSON.stringify(text[0])}` : JSON.stringify(text)
  return `HTTP/${httpVersion} · ${wireSize} bytes${text === '' ? '' : ` · ${shown}`}`
}

const headers = (message: Message): string[] =>
  message.headers.map(([name, value]) => `  ${shorten(name)}: ${shorten(value)}`)

const shorten = (text: string): string => {
  const shown = JSON.stringify(text).slice(1, -1)
  return shown.length > 200 ? `${shown.slice(0, 20)}… (${text.length})` : shown
}
