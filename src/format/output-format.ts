/** The output formats of `-o`: their names, their options and what each implements. Loads nothing. */

import type { Grouping, SortKey } from '../routes/route-names.ts'

/** Values of `-o`. */
export const OUTPUT_FORMATS = ['text', 'ndjson', 'json', 'tsv', 'har', 'curl', 'msgpack', 'none'] as const

/** One of OUTPUT_FORMATS, or a summary of all pairs that a command of its own prints. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number] | 'routes' | 'openapi'

/** Options of the table of routes. */
export interface TopOptions {
  by: Grouping
  sort: SortKey
  json: boolean
  /** The memory of a TopView, for a table that is drawn on a terminal while pairs arrive; null: it is printed at the end. */
  view: SharedArrayBuffer | null
}

/** Options of all formats; each format ignores those that do not apply to it. */
export interface FormatOptions {
  /** Undo `Content-Encoding` of bodies (off: `--no-decode`). */
  decode: boolean
  /** Colour the text format. The caller has evaluated `--color`, NO_COLOR and whether the output is a terminal. */
  color: boolean
  /** Columns that a line of the text format may use; null: no limit. */
  width: number | null
  /** Print heads and bodies in the text format (`-v`). */
  verbose: boolean
  /** Most rows of a body in the text format (`--body`); absent: the defaults of text.ts. */
  bodyRows?: number
  /** Fields of `text` and `tsv` in place of the usual columns (`--fields`); absent: the usual ones. */
  fields?: readonly string[]
  /** Grouping and order of the format `routes`. */
  top?: TopOptions
  /** Whether `openapi` includes bodies as examples. */
  examples?: boolean
  /** This program's version, for formats that name their creator (HAR). */
  version: string
}

/**
 * Formats the pairs of one output. The caller calls `begin` once, `pair` for each pair and `end` once, and writes each
 * result in that order; together they are a complete document, even without a single pair. Formats do no I/O.
 */
export interface PairFormat {
  begin(): string
  /** In place of `begin`, to continue a document that another instance began. @param hasPairs  whether it has any */
  resume?(hasPairs: boolean): void
  /**
   * @param raw  one pair in its MessagePack or JSON form
   * @returns what to write, valid until the next call and possibly `raw` itself: copy to keep. An Error where `raw` is
   *   not a pair; nothing must be written for it
   * @throws never
   */
  pair(raw: Uint8Array): string | Uint8Array | Error
  /** Records that this many pairs of the source are missing from the output; absent: the format cannot express it. */
  notShown?(pairs: number): void
  /** Returns what to write even if no pair arrives; called several times a second. Absent: never anything. */
  tick?(): string
  end(): string
}
