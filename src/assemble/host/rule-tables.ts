/** Writes the rules of the filter that need no pattern into the program's memory (core/http1/rules.ts). */
import { hasWildcard } from '../../config/glob.ts'
import { LONGEST_LENGTH } from '../core/head/layout.ts'
import type { FilterConfig } from '../filter.ts'
import type { ProgramMemory } from './memory.ts'
import type { Address } from './program.ts'

const STATUSES = 1000
const WORD_BYTES = 4
/** The addresses of the tables and two flags. */
const HEAD_WORDS = 6

/**
 * @returns the address of their words, for `Program.setRules`
 * @throws RangeError when the rules are larger than the region, which the configuration's limits exclude
 */
export function writeRules(memory: ProgramMemory, config: FilterConfig): Address {
  const writer = new Writer(memory)
  const head = writer.claim(HEAD_WORDS * WORD_BYTES)
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
  const plainPaths = config.paths.filter((path) => !hasWildcard(path))
  const words = [
    writer.list(config.userAgentPrefixes.map(encode)),
    writer.list(config.requestHeaders.map((name) => encode(name.toLowerCase()))),
    writer.list(plainPaths.map((path) => encode(path.length > 1 ? path.replace(/\/$/, '') : path))),
    writer.bytes(statusTable(config.statuses)),
    plainPaths.length < config.paths.length ? 1 : 0,
    config.contentTypes.length === 0 ? 1 : 0,
  ]
  for (const [i, word] of words.entries()) memory.view.setUint32(head + WORD_BYTES * i, word, true)
  return head
}

/**
 * The lengths of the names of a request's fields that rules are about, as bits: bit n is set if a name of n bytes may be one,
 * and the highest one if a longer name may.
 */
export function nameLengths({ requestHeaders, include }: FilterConfig): number {
  const names = ['content-type', 'user-agent', ...(include.hosts.length > 0 ? ['host'] : []), ...requestHeaders]
  return names.reduce((bits, { length }) => bits | (1 << Math.min(length, LONGEST_LENGTH)), 0)
}

/** Allocates from the region of rules, from its beginning on. */
class Writer {
  readonly #memory: ProgramMemory
  #next: Address

  constructor(memory: ProgramMemory) {
    this.#memory = memory
    this.#next = memory.rules
  }

  claim(bytes: number): Address {
    const at = this.#next
    this.#next = (at + bytes + 7) & ~7
    if (this.#next > this.#memory.rules + this.#memory.ruleBytes) throw new RangeError('the rules are too large')
    return at
  }

  bytes(content: Uint8Array): Address {
    const at = this.claim(content.length)
    this.#memory.bytes.set(content, at)
    return at
  }

  list(texts: readonly Uint8Array[]): Address {
    const at = this.claim(WORD_BYTES * (1 + 2 * texts.length))
    const { view } = this.#memory
    view.setUint32(at, texts.length, true)
    for (const [i, text] of texts.entries()) {
      view.setUint32(at + WORD_BYTES * (1 + 2 * i), this.bytes(text), true)
      view.setUint32(at + WORD_BYTES * (2 + 2 * i), text.length, true)
    }
    return at
  }
}

/** A byte for each status: 1 if a code or a class names it. */
function statusTable(statuses: readonly string[]): Uint8Array {
  const table = new Uint8Array(STATUSES)
  for (const status of statuses) {
    const first = Number(status[0]) * 100
    if (/^[1-9]xx$/i.test(status)) table.fill(1, first, first + 100)
    else table[Number(status)] = 1
  }
  return table
}
