/**
 * The same traffic in other frames yields the same pairs, and traffic with missing parts yields some of them, and never
 * others. The seed is in the titles: INVARIANCE_SEED=N sets it, INVARIANCE_ROUNDS=N tries N seeds from there on.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { captureFile, compare, type Emitted, expectedOf, type Run, readCapture } from '../support/golden.ts'
import { assertLaws } from '../support/ledger.ts'
import * as edit from '../support/pcap-edit.ts'

const CAPTURES = ['go', 'node-curl', 'nginx-curl', 'python-stdlib', 'aborts', 'loss-server']
const ROUNDS = Number(process.env['INVARIANCE_ROUNDS'] ?? 2)
const SEED = Number(process.env['INVARIANCE_SEED'] ?? 1)

/** Distance of the ports of two rounds: no difference between two server ports in the captures is a multiple of it. */
const PORT_STEP = 137

const folder = mkdtempSync(join(tmpdir(), 'interceptor-invariance-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const originals = new Map<string, Promise<Run>>()
const originalOf = (name: string): Promise<Run> => {
  const run = originals.get(name) ?? readCapture([captureFile(name)])
  originals.set(name, run)
  return run
}

let files = 0
const runOf = async (...contents: readonly Buffer[]): Promise<Run> => {
  const paths = contents.map((content) => {
    const path = join(folder, `${files++}.pcap`)
    writeFileSync(path, content)
    return path
  })
  const run = await readCapture(paths)
  for (const path of paths) rmSync(path)
  assertLaws(run.ledger)
  assert.equal(run.code, 0, run.stderr)
  return run
}

/** A pair without its id, as one line. */
const textOf = ({ id: _, ...rest }: Emitted): string => JSON.stringify(rest)
const linesOf = (pairs: readonly Emitted[], line: (pair: Emitted) => string): string[] => pairs.map(line).sort()
const withId = (pair: Emitted): string => `${pair.id} ${textOf(pair)}`

type Edit = (file: edit.CaptureFile, chance: () => number) => edit.CaptureFile

/** Edits without loss: they yield the same pairs with the same ids. */
const LOSSLESS: Record<string, Edit> = {
  'in segments of up to 40 bytes': (file, chance) => edit.resegment(file, () => 1 + Math.floor(chance() * 40)),
  'in segments of up to 1400 bytes': (file, chance) => edit.resegment(file, () => 1 + Math.floor(chance() * 1400)),
  'cut small and reordered': (file, chance) =>
    edit.reorder(
      edit.resegment(file, () => 700),
      6,
      chance,
    ),
  'with frames repeated': (file, chance) => edit.duplicate(file, 0.2, chance),
  'with a VLAN tag': (file) => edit.tag(file, [0x8100, 12]),
  'with two VLAN tags': (file) => edit.tag(file, [0x88a8, 12], [0x8100, 13]),
  'as IPv6': (file) => edit.toIpv6(file),
}

/** Edits with loss: they yield some of the pairs, and never others. */
const LOSSY: Record<string, Edit> = {
  'with 2 % of the frames missing': (file, chance) => edit.drop(file, 0.02, chance),
  'with 20 % of the frames missing': (file, chance) => edit.drop(file, 0.2, chance),
  'cut small with 5 % missing': (file, chance) =>
    edit.drop(
      edit.resegment(file, () => 200),
      0.05,
      chance,
    ),
  'begun late': (file, chance) => edit.slice(file, Math.floor(chance() * file.frames.length)),
  'cut short': (file, chance) => edit.slice(file, 0, Math.floor(chance() * file.frames.length)),
  'shuffled past acknowledgements': (file, chance) =>
    edit.shuffle(
      edit.resegment(file, () => 500),
      12,
      chance,
    ),
}

/** One edit of a capture with one seed, on its own ports. */
interface Variant {
  how: string
  file: edit.CaptureFile
  /** The pairs of the original capture, on those ports. */
  known: string[]
  isLossless: boolean
}

/** Each edit of a capture with each seed. */
async function variantsOf(name: string): Promise<Variant[]> {
  const file = edit.readPcap(captureFile(name))
  const { pairs } = await originalOf(name)
  const variants: Variant[] = []
  for (const [how, change] of Object.entries({ ...LOSSLESS, ...LOSSY })) {
    for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
      const by = variants.length * PORT_STEP
      const known = pairs.map((pair) => withId({ ...pair, serverPort: pair.serverPort + by }))
      const changed = change(edit.movePorts(file, by), edit.random(seed))
      variants.push({ how: `${how}, seed ${seed}`, file: changed, known, isLossless: how in LOSSLESS })
    }
  }
  return variants
}

interface Differences {
  /** Pairs that are emitted but not expected, or more often than expected. */
  others: string[]
  /** Pairs of the lossless variants that are not emitted. */
  missing: string[]
  /** Whether pairs of the other variants are emitted. */
  lossyEmitted: boolean
}

/** Runs all variants as one capture. */
async function differences(variants: readonly Variant[]): Promise<Differences> {
  const run = await runOf(edit.writePcap(edit.merge(variants.map(({ file }) => file))))
  const left = new Map<string, number>()
  for (const line of variants.flatMap(({ known }) => known)) left.set(line, (left.get(line) ?? 0) + 1)
  const others = run.pairs.map(withId).filter((line) => {
    const count = left.get(line) ?? 0
    left.set(line, count - 1)
    return count < 1
  })
  const missing = variants
    .filter(({ isLossless }) => isLossless)
    .flatMap(({ how, known }) => known.filter((line) => (left.get(line) ?? 0) > 0).map((line) => `${how}: ${line}`))
  const lossyEmitted = variants.some(
    ({ isLossless, known }) => !isLossless && known.some((line) => left.get(line) === 0),
  )
  return { others, missing, lossyEmitted }
}

for (const name of CAPTURES) {
  test(`invariance: ${name} yields the same pairs in other frames, and no others with missing frames (seed ${SEED})`, async () => {
    const found = await differences(await variantsOf(name))
    assert.deepEqual(found, { others: [], missing: [], lossyEmitted: true })
  })
}

test('invariance: raw IP yields the same pairs', async () => {
  const run = await runOf(edit.writePcap(edit.rawIp(edit.readPcap(captureFile('go')))))
  assert.deepEqual(linesOf(run.pairs, withId), linesOf((await originalOf('go')).pairs, withId))
})

for (const by of [0x7fffffff, 0xfffff000]) {
  test(`invariance: sequence numbers shifted by ${by} yield the same pairs`, async () => {
    const run = await runOf(edit.writePcap(edit.moveSequences(edit.readPcap(captureFile('go')), by)))
    assert.deepEqual(linesOf(run.pairs, textOf), linesOf((await originalOf('go')).pairs, textOf))
  })
}

test('invariance: byte order, resolution and format of the file change nothing', async () => {
  const file = edit.readPcap(captureFile('nginx-curl'))
  const expected = linesOf((await originalOf('nginx-curl')).pairs, withId)
  const layouts = [{ bigEndian: true }, { nanoseconds: true }, { bigEndian: true, nanoseconds: true }]
  const contents = [...layouts.map((layout) => edit.writePcap(file, layout)), edit.writePcapng(file)]
  for (const content of contents) assert.deepEqual(linesOf((await runOf(content)).pairs, withId), expected)
})

test('invariance: a capture in two files yields the same pairs', async () => {
  const file = edit.readPcap(captureFile('go'))
  const middle = file.frames.length >> 1
  const halves = [edit.slice(file, 0, middle), edit.slice(file, middle)].map((half) => edit.writePcap(half))
  assert.deepEqual(linesOf((await runOf(...halves)).pairs, withId), linesOf((await originalOf('go')).pairs, withId))
})

/** Frames of a capture that carry a payload from this port. */
const responsesFrom = (file: edit.CaptureFile, port: number): number[] =>
  [...file.frames.keys()].filter((at) => {
    const { bytes } = file.frames[at]
    const parts = edit.segmentOf(bytes)
    return parts !== undefined && parts.end > parts.payload && bytes.readUInt16BE(parts.tcp) === port
  })

test(`invariance: 1,000 requests with one lost response yield 999 correct pairs (seed ${SEED})`, async () => {
  const file = edit.readPcap(captureFile('thousand'))
  const responses = responsesFrom(file, 8080)
  assert.equal(responses.length, 1000)
  const chance = edit.random(SEED)
  const expected = expectedOf('thousand')
  for (const lost of [1, 998, Math.floor(chance() * 1000), Math.floor(chance() * 1000)]) {
    const frames = file.frames.filter((_, at) => at !== responses[lost])
    const run = await runOf(edit.writePcap({ linkType: file.linkType, frames }))
    const { others, missing } = compare(expected, run.pairs)
    assert.deepEqual(others, [], `response ${lost} lost`)
    assert.equal(missing.length, 1, `response ${lost} lost`)
    assert.ok(missing[0].startsWith(`GET /echo?n=${lost} `), `response ${lost} lost, missing ${missing[0]}`)
  }
})
