/** Formats heads and bodies for the text format (`-v`). The caller must still escape the lines. */
import { isUtf8 } from 'node:buffer'
import { headerValue, type Message, mediaType } from '../pair/pair.ts'
import { indentJson } from './indent-json.ts'

/** Length of body text that is printed, in UTF-16 units. */
const SHOWN_LENGTH = 16 * 1024
/** Bytes of a binary body that are printed in hexadecimal. */
const SHOWN_BINARY_BYTES = 64
const DUMP_ROW_BYTES = 16

/** Rows of offset, bytes and characters, as `xxd` prints them. */
function hexDump(bytes: Uint8Array): string[] {
  const rows: string[] = []
  for (let offset = 0; offset < bytes.length; offset += DUMP_ROW_BYTES) {
    const row = bytes.subarray(offset, offset + DUMP_ROW_BYTES)
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const characters = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
    rows.push(`${offset.toString(16).padStart(4, '0')}  ${hex.padEnd(DUMP_ROW_BYTES * 3)} ${characters.join('')}`)
  }
  return rows
}

/** A binary body: its size and type, and its first bytes. */
function binaryLines(message: Message): string[] {
  const coding = message.decoded ? undefined : headerValue(message, 'content-encoding')
  const kind = [mediaType(message), coding].filter((part) => part).join(', ')
  const { body } = message
  const what = `<${body.length} byte${body.length === 1 ? '' : 's'}${kind === '' ? '' : ` of ${kind}`}>`
  const dump = hexDump(body.subarray(0, SHOWN_BINARY_BYTES))
  return body.length > SHOWN_BINARY_BYTES ? [what, ...dump, '…'] : [what, ...dump]
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const textLines = (text: string): string[] => text.split(/\r?\n/).map((line) => line.replaceAll('\t', '    '))

/**
 * Formats a body as lines: JSON indented, forms with one field per line, other text as it is, a binary body as its size,
 * type and first bytes. Text after SHOWN_LENGTH is left out and counted in the last line.
 */
export function bodyLines(message: Message): string[] {
  const { body } = message
  if (body.length === 0) return []
  if (!isUtf8(body)) return binaryLines(message)
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
  const shown = text.slice(0, SHOWN_LENGTH)
  const type = mediaType(message)
  const lines =
    type === 'application/x-www-form-urlencoded'
      ? Array.from(new URLSearchParams(shown), ([name, value]) => `${name} = ${value}`)
      : /[/+]json$/.test(type) && isJson(text)
        ? indentJson(shown)
        : textLines(shown)
  const rest = text.length - shown.length
  return rest === 0 ? lines : [...lines, `… ${rest} more characters (-o ndjson has them all)`]
}

/** Header fields as sent, one per line. */
export const headerLines = (message: Message): string[] => message.headers.map(([name, value]) => `${name}: ${value}`)
