/**
 * Checks the laws of pairing on generated conversations:
 *
 * - Without loss, exactly the exchanges that the reference assembler finds are emitted.
 * - Whatever happens to the frames, no pair is emitted that was not exchanged.
 * - Removing frames adds no pair; repeating frames changes nothing.
 * - Frames delayed by up to three positions lose few exchanges, and yield no wrong pair.
 */
import assert from 'node:assert/strict'
import type { Pair } from '../../../src/pair/pair.ts'
import { AssembleHarness } from '../../support/assemble-harness.ts'
import { layFrame } from '../../support/tcp-frames.ts'
import { START_MICROS } from '../../support/tcp-script.ts'
import { converse } from './conversation.ts'
import { drop, duplicate, excerpt, type Frame, interleave, reorder, resend, snap } from './damage.ts'
import { Random } from './random.ts'
import { digest, type Exchange, fieldsText, keyOf, referenceExchanges } from './reference.ts'

/** Most positions by which frames are delayed. */
const DISTANCE = 3
/**
 * Share of the exchanges that reordering may lose; in a short run, in addition those of one conversation and a few
 * others.
 */
const TOLERATED = 0.001
const TOLERATED_ANYWAY = 4

/** In one run: a client that always has several requests outstanding may look like one that does not pipeline. */
const TOLERATED_DECEPTIONS = 3

/** What makes captures incomplete. */
const LOSSY: readonly string[] = ['lossy', 'cut', 'excerpt', 'everything']

const FIRST_PORT = 50_000
const OPTIONS = { poolBytes: 4 * 1024 * 1024, flows: 64 } as const

export interface Tally {
  frames: number
  /** Exchanges of the reordered captures, and how many of them were emitted. */
  reordered: number
  kept: number
  /** Most exchanges of one scenario that were lost. */
  most: number
  /** Wrong pairs where what was lost would have shown that the client pipelines (docs/pairing.md). */
  deceived: number
}

/** Runs scenarios until `frames` frames were assembled. @param seed of the first scenario; each further one adds 1 */
export function holdToLaws(seed: number, frames: number): Tally {
  const tally: Tally = { frames: 0, reordered: 0, kept: 0, most: 0, deceived: 0 }
  for (let next = seed; tally.frames < frames; next++) {
    try {
      scenario(new Random(next), tally)
    } catch (error) {
      throw new Error(`seed ${next}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
  }
  assert.ok(tally.deceived <= TOLERATED_DECEPTIONS, `${tally.deceived} wrong pairs of clients that pipeline`)
  const lost = tally.reordered - tally.kept
  assert.ok(
    lost <= Math.max(tally.reordered * TOLERATED, tally.most) + TOLERATED_ANYWAY,
    `${lost} of ${tally.reordered} exchanges lost by reordering`,
  )
  return tally
}

function scenario(random: Random, tally: Tally): void {
  const conversations = Array.from({ length: random.between(1, 6) }, (_, i) =>
    converse(random, `c${i}`, START_MICROS + random.below(1000)),
  )
  const exchanges = conversations.flat().flatMap((conversation) => conversation.exchanges)
  const exchanged = exchanges.map(keyOf)
  const deceptive = conversations.flat().flatMap(({ name, isDeceptive }) => (isDeceptive ? [name] : []))
  const certain = exchanges.filter(({ isDoubtful }) => !isDoubtful).map(keyOf)
  for (const { isRegular, segments, exchanges: own } of conversations.flat()) {
    const told = own.map(keyOf)
    const read = isRegular ? referenceExchanges(segments).map(keyOf) : told
    assert.deepEqual(read, told, 'the reference assembler and the conversation disagree')
  }
  const frames = interleave(
    random,
    conversations.map((parts) => parts.flatMap(({ segments }) => segments)),
  )
  const run = (name: string, damaged: readonly Frame[]): string[] => {
    tally.frames += damaged.length
    return pairsOf(name, damaged, exchanged, (target) => {
      if (!LOSSY.includes(name) || !deceptive.some((of) => target.includes(`${of}/`))) return false
      tally.deceived++
      return true
    })
  }
  const whole = run('whole', frames)
  assertContains(whole, certain, 'whole: not every exchange came out')
  const again = run('sent again', resend(random, frames, 4))
  assertEqual(again, whole, 'sent again: other exchanges came out')
  const twice = run('duplicated', duplicate(random, frames, 4))
  assertEqual(twice, whole, 'duplicated: other exchanges came out')
  const reordered = new Set(run('reordered', reorder(random, frames, 6, DISTANCE)))
  const plain = exchanges.filter(({ isDelicate }) => !isDelicate).map(keyOf)
  const kept = plain.filter((key) => reordered.has(key)).length
  tally.reordered += plain.length
  tally.kept += kept
  tally.most = Math.max(tally.most, plain.length - kept)
  run('lossy', drop(random, frames, random.pick([3, 10, 40])))
  run('cut', snap(random, frames, 8))
  run('excerpt', excerpt(random, frames))
  const all = drop(random, duplicate(random, resend(random, reorder(random, frames, 8, 5), 8), 8), 12)
  run('everything', random.oneIn(2) ? snap(random, all, 20) : all)
}

/** Compares keys, and names those that are missing. */
function assertContains(actual: readonly string[], expected: readonly string[], what: string): void {
  const missing = expected.filter((key) => !actual.includes(key)).map((key) => key.split('|').slice(0, 3).join(' '))
  assert.equal(missing.length, 0, `${what}: ${missing.join(', ')}`)
}

function assertEqual(actual: readonly string[], expected: readonly string[], what: string): void {
  assertContains(actual, expected, what)
  assertContains(expected, actual, what)
}

/** @returns the keys of the emitted pairs; throws if one was not exchanged, or was emitted twice */
function pairsOf(
  name: string,
  frames: readonly Frame[],
  exchanged: readonly string[],
  isDeceptive: (target: string) => boolean,
): string[] {
  const harness = new AssembleHarness(OPTIONS)
  harness.frames(frames.map(({ connection, segment }) => layFrame(segment, linkOf(connection))))
  const truth = new Set(exchanged)
  const keys: string[] = []
  for (const pair of harness.finish().pairs) {
    const key = keyOf(exchangeOf(pair))
    if (truth.has(key)) keys.push(key)
    else assert.ok(isDeceptive(pair.request.target), `${name}: a pair that was not exchanged: ${key}`)
  }
  assert.equal(new Set(keys).size, keys.length, `${name}: an exchange came out twice`)
  return keys
}

const linkOf = (connection: number) => ({
  client: { address: connection % 2 === 0 ? '10.0.0.5' : '10.0.0.77', port: FIRST_PORT + connection },
  server: { address: '10.0.0.9', port: 8080 },
})

function exchangeOf({ request, response }: Pair): Exchange {
  return {
    method: request.method,
    target: request.target,
    status: response.status,
    requestFields: fieldsText(request.headers),
    responseFields: fieldsText(response.headers),
    requestBody: digest(request.body),
    responseBody: digest(response.body),
  }
}
