/** Output formats: what `-o` of read, capture and tail chooses between. None of them reads or writes anything itself. */

import { packPair } from '../pair/unpack.ts'
import { harFormat } from './har.ts'
import { jsonFormat, ndjsonFormat } from './json.ts'
import { pairFormat } from './pair-format.ts'
import { textFormat } from './text.ts'

/** Names `-o` takes. */
export const FORMAT_NAMES = ['text', 'ndjson', 'json', 'har', 'msgpack', 'none'] as const

/** One of FORMAT_NAMES. */
export type FormatName = (typeof FORMAT_NAMES)[number]

/** What formats are made with; each heeds what concerns it. */
export interface FormatOptions {
  /** Undo `Content-Encoding` of bodies (off: `--no-decode`). */
  decode: boolean
  /** Colour the text format. The caller has looked at `--color`, NO_COLOR and whether this is a terminal. */
  color: boolean
  /** Columns of the terminal, which lines of the text format keep to; null: lines are as long as they are. */
  width: number | null
  /** Heads and bodies in the text format (`-v`). */
  verbose: boolean
  /** This program's version, for formats that name their creator (HAR). */
  version: string
}

/**
 * Turns pairs into the text or bytes of one output. Calls come in this order: `begin` once, `pair` for each, `end`
 * once; what they answer, written in turn, is a whole document, also without any pair.
 */
export interface PairFormat {
  begin(): string
  /**
   * @param raw one pair, MessagePack or JSON form
   * @returns what to write, possibly `raw` itself, valid until the next call: copy to keep. An Error where `raw` is no pair, and then nothing is to be written
   * @throws never
   */
  pair(raw: Uint8Array): string | Uint8Array | Error
  end(): string
}

/** @param name what `-o` was given */
export function createFormat(name: FormatName, options: FormatOptions): PairFormat {
  switch (name) {
    case 'text':
      return textFormat(options)
    case 'ndjson':
      return ndjsonFormat(options)
    case 'json':
      return jsonFormat(options)
    case 'har':
      return harFormat(options)
    case 'msgpack':
      return options.decode ? pairFormat(options, packPair) : { begin: () => '', pair: (raw) => raw, end: () => '' }
    case 'none':
      return { begin: () => '', pair: () => '', end: () => '' }
  }
}
