/**
 * Formats requests as curl commands, to be pasted into a shell (`-o curl`): one command for each pair, after a comment
 * with the response.
 *
 * A command sends the captured request: curl's own User-Agent, Accept and Content-Type are removed where the request
 * had none. What a proxy received goes to that proxy; for CONNECT, curl also sends a request of its own through the
 * tunnel. Fields that are not UTF-8 are sent as UTF-8, because a pair holds them as text. Nothing in it can reach the
 * terminal or the shell as anything but an argument.
 */
import { isUtf8 } from 'node:buffer'
import type { Header, Pair } from '../pair/pair.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { isAbsolute, requestUrl } from './request-url.ts'
import { safe } from './terminal.ts'
import { shortDuration } from './units.ts'

/** Fields that curl derives from its arguments, or that belong to the connection of the capture. */
const OWN_FIELDS = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'expect',
  'keep-alive',
  'upgrade',
])
/** Fields that curl adds by default. */
const ADDED_FIELDS = ['User-Agent', 'Accept']
const CONTINUATION = ' \\\n  '

/** `-o curl`. */
export function curlFormat(options: FormatOptions): PairFormat {
  return pairFormat(options, (pair) => `${comment(pair)}\n${command(pair)}\n\n`)
}

const comment = ({ request, response, requestStartMicros, responseEndMicros }: Pair): string => {
  const status = `${response.status} ${response.reason}`.trim()
  return safe(
    `# ${request.method} ${request.target}: ${status} after ${shortDuration(responseEndMicros - requestStartMicros)}`,
  )
}

function command(pair: Pair): string {
  const { request } = pair
  const url = requestUrl(pair)
  const hasBody = request.body.length > 0
  const { input, data } = bodyWords(request.body)
  const isTunnel = request.method === 'CONNECT'
  const line = [
    'curl',
    ...(isTunnel ? ['--proxytunnel'] : methodWords(request.method, hasBody)),
    ...(request.httpVersion === '1.0' ? ['--http1.0'] : []),
    ...(isTunnel || isAbsolute(request.target) ? ['--proxy', quoted(serverUrl(pair))] : targetWords(request.target)),
    ...(/[[\]]/.test(url) ? ['--globoff'] : []),
    quoted(url),
  ].join(' ')
  const option = isTunnel ? '--proxy-header' : '-H'
  const headers = headersOf(pair, hasBody).map((header) => `${option} ${quoted(header)}`)
  return input + [line, ...headers, ...data].join(CONTINUATION)
}

/** Names the target where curl would send another one for the URL. */
function targetWords(target: string): string[] {
  if (target === '*' || /[^\x21-\x7e]|["#<>\\^`{|}]/.test(target)) return ['--request-target', quoted(target)]
  return /\/\.{1,2}(\/|\?|$)/.test(target) ? ['--path-as-is'] : []
}

/** The server that was connected to, which was a proxy. */
const serverUrl = ({ server: { address, port } }: Pair): string =>
  `http://${address.includes(':') ? `[${address}]` : address}:${port}`

/** -X only where curl would not choose the method itself. */
function methodWords(method: string, hasBody: boolean): string[] {
  if (method === 'HEAD' && !hasBody) return ['--head']
  return method === (hasBody ? 'POST' : 'GET') ? [] : ['-X', quoted(method)]
}

function headersOf({ request }: Pair, hasBody: boolean): string[] {
  const sent = request.headers.filter((header) => isSent(header, request.decoded))
  const names = new Set(sent.map(([name]) => name.toLowerCase()))
  const added = hasBody ? [...ADDED_FIELDS, 'Content-Type'] : ADDED_FIELDS
  return [
    ...sent.map(([name, value]) => (value === '' ? `${name};` : `${name}: ${value}`)),
    ...added.filter((name) => !names.has(name.toLowerCase())).map((name) => `${name}:`),
  ]
}

/** A body that was decoded is sent without its Content-Encoding. A line break would begin another field. */
const isSent = ([name, value]: Header, decoded: boolean): boolean =>
  !OWN_FIELDS.has(name.toLowerCase()) &&
  !(decoded && name.toLowerCase() === 'content-encoding') &&
  !name.startsWith('@') &&
  !/[\r\n]/.test(name + value)

/** A text is an argument; what an argument cannot hold is passed through a pipe. */
function bodyWords(body: Uint8Array): { input: string; data: string[] } {
  if (body.length === 0) return { input: '', data: [] }
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (isUtf8(bytes) && !bytes.includes(0) && bytes.length <= MOST_ARGUMENT_BYTES) {
    return { input: '', data: [`--data-raw ${quoted(bytes.toString())}`] }
  }
  return { input: `echo ${bytes.toString('base64')} | base64 -d | `, data: ['--data-binary @-'] }
}

/** Linux limits one argument to 128 KiB; quoting makes it longer, not shorter. */
const MOST_ARGUMENT_BYTES = 100 * 1024

/** Quotes a word for bash, zsh and ksh. A character that a terminal could interpret is written as an escape of its bytes. */
function quoted(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  if (safe(text) === text) return `'${text.replaceAll("'", `'\\''`)}'`
  const escaped = Array.from(text, (character) => {
    if (character === '\n') return '\\n'
    if (character === "'" || character === '\\') return `\\${character}`
    return safe(character) === character ? character : escapedBytes(character)
  })
  return `$'${escaped.join('')}'`
}

/** Octal, because a hexadecimal escape would absorb digits that follow. */
const escapedBytes = (character: string): string =>
  Array.from(Buffer.from(character), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
