/** Formats bodies as lines for the text format (`-v`). */

import { isUtf8 } from 'node:buffer'
import { headerValue, type Message, mediaType } from '../pair/pair.ts'
import { indentJson, type SourceLine } from './indent-json.ts'
import { grouped } from './units.ts'

const DUMP_ROW_BYTES = 16

/** A formatted body. The lines are not escaped yet. */
export interface Body {
  /** What is printed before the lines; null: nothing. */
  readonly title: string | null
  /** Whether the lines are a dump of bytes. */
  readonly isDump: boolean
  /** Whether the lines are indented JSON. */
  readonly isJson: boolean
  /** Formatted on demand: the caller stops when it has enough. */
  readonly lines: Iterable<SourceLine>
  /** Bytes of the body after the `end` of a line. */
  bytesAfter(end: number): number
}

/**
 * Formats a body: JSON indented, forms with one field per line, other text as it is, anything else as a dump of bytes.
 *
 * @returns null for an empty body
 */
export function formatBody(message: Message): Body | null {
  const { body } = message
  if (body.length === 0) return null
  if (!isUtf8(body)) {
    const bytesAfter = (end: number): number => body.length - end
    return { title: binaryTitle(message), isDump: true, isJson: false, lines: hexDump(body), bytesAfter }
  }
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
  const bytesAfter = (end: number): number => Buffer.byteLength(text.slice(end))
  const type = mediaType(message)
  const isForm = type === 'application/x-www-form-urlencoded'
  // `curl -d` sends JSON with the type of a form.
  const asJson = (isForm || /[/+]json$/.test(type)) && isJson(text)
  const lines = asJson ? indentJson(text) : isForm ? formFields(text) : plainLines(text)
  return { title: null, isDump: false, isJson: asJson, lines, bytesAfter }
}

/** `<68 bytes of image/png, gzip>` */
function binaryTitle(message: Message): string {
  const coding = message.decoded ? undefined : headerValue(message, 'content-encoding')
  const kind = [mediaType(message), coding].filter((part) => part).join(', ')
  const { length } = message.body
  return `<${grouped(length)} byte${length === 1 ? '' : 's'}${kind === '' ? '' : ` of ${kind}`}>`
}

/** Rows of offset, bytes and characters, as `xxd` prints them. */
function* hexDump(bytes: Uint8Array): Generator<SourceLine> {
  for (let offset = 0; offset < bytes.length; offset += DUMP_ROW_BYTES) {
    const row = bytes.subarray(offset, offset + DUMP_ROW_BYTES)
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const characters = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
    const text = `${offset.toString(16).padStart(4, '0')}  ${hex.padEnd(DUMP_ROW_BYTES * 3)} ${characters.join('')}`
    yield { text, end: offset + row.length }
  }
}

/** The fields of a form, decoded. */
function* formFields(text: string): Generator<SourceLine> {
  for (const { text: field, end } of split(text, '&')) {
    for (const [name, value] of new URLSearchParams(field)) yield { text: `${name} = ${value}`, end }
  }
}

function* plainLines(text: string): Generator<SourceLine> {
  for (const { text: line, end } of split(text, '\n')) {
    const endsInCr = line.endsWith('\r') && end < text.length
    yield { text: (endsInCr ? line.slice(0, -1) : line).replaceAll('\t', '    '), end }
  }
}

/** The parts of a text between separators; the last one may be empty. */
function* split(text: string, separator: string): Generator<SourceLine> {
  for (let start = 0; start <= text.length; ) {
    const found = text.indexOf(separator, start)
    const end = found < 0 ? text.length : found
    yield { text: text.slice(start, end), end }
    start = end + 1
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
