/**
 * Selects pairs by what only a whole pair decides: `--grep` and `--where`; where no assembler has done it before, by the
 * lists of `filter.include` (include.ts) too. Each pair is decoded to an object for it, which costs far more than the lists
 * do in an assembler; without these options nothing here runs.
 */
import { decodeBodies } from '../pair/decode-body.ts'
import type { Message, Pair } from '../pair/pair.ts'
import { readPair } from '../pair/unpack.ts'
import { Include, type IncludeConfig } from './include.ts'

/** The options `--grep` and `--where`. Plain data: it is sent to worker threads. */
export interface PairSelection {
  /** Each of these texts has to occur in a start line, a header or a body. */
  grep: readonly string[]
  /** A CEL expression; null: none. */
  where: string | null
}

/** Whether a pair is selected. */
type PairPredicate = (pair: Pair) => boolean

const NOTHING: PairSelection = { grep: [], where: null }

export class PairSelector {
  readonly #include: Include | null
  readonly #selects: PairPredicate | null

  private constructor(include: Include | null, selects: PairPredicate | null) {
    this.#include = include
    this.#selects = selects
  }

  /**
   * Creates the selector of a selection. The CEL library is loaded only for a `where`.
   *
   * @param include lists that no assembler has applied; null: none
   * @returns null if it would select every pair
   * @throws InterceptorError (EXIT_USAGE) for an expression that is wrong
   */
  static async create(selection = NOTHING, include: IncludeConfig | null = null): Promise<PairSelector | null> {
    const lists = include === null ? null : new Include(include)
    const selects = await pairPredicate(selection)
    return selects === null && (lists === null || lists.isEmpty) ? null : new PairSelector(lists, selects)
  }

  /** @param bytes a pair in its MessagePack or JSON form @returns an Error if the bytes are not a pair @throws never */
  selects(bytes: Uint8Array): boolean | Error {
    const pair = readPair(bytes)
    return pair instanceof Error ? pair : this.selectsPair(pair)
  }

  /** @param pair its bodies are decoded in place if they have to be searched @throws never */
  selectsPair(pair: Pair): boolean {
    if (this.#include !== null && !this.#include.pair(pair)) return false
    if (this.#selects === null) return true
    decodeBodies(pair)
    return this.#selects(pair)
  }
}

/** @returns null if every pair is selected */
async function pairPredicate({ grep, where }: PairSelection): Promise<PairPredicate | null> {
  if (grep.length === 0 && where === null) return null
  const texts = grep.map((text) => ({ text, bytes: Buffer.from(text) }))
  const holds = where === null ? null : (await import('./expression.ts')).compilePredicate(where)
  return (pair) => texts.every((text) => occurs(pair, text)) && (holds === null || holds(pair))
}

/** A text to search for, and its UTF-8. */
interface Needle {
  text: string
  bytes: Buffer
}

function occurs({ request, response }: Pair, needle: Needle): boolean {
  const { text } = needle
  if (request.target.includes(text) || request.method.includes(text) || response.reason.includes(text)) return true
  return occursIn(request, needle) || occursIn(response, needle)
}

function occursIn({ headers, body }: Message, { text, bytes }: Needle): boolean {
  for (const [name, value] of headers) if (name.includes(text) || value.includes(text)) return true
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(bytes)
}
