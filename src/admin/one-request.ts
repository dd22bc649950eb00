/**
 * Serves a single HTTP/1 request without a body on a connection (RFC 9112), and closes it. node:http is not used,
 * because it parses all pipelined requests of a chunk, thousands of them, before anything else in this thread runs.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

/** A request, without its header fields: no page depends on one. */
export interface Request {
  readonly method: string
  /** The request target as sent, such as `/readyz?verbose`. */
  readonly target: string
}

export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface RequestLimits {
  /** Largest request line with header fields. Bytes. */
  readonly headBytes: number
  /** Time for the client to send them, and from opening the connection to its end. */
  readonly headMs: number
  readonly connectionMs: number
}

/** Bytes that a client may still send while the response is in flight. Closing earlier would reset the connection. */
const LINGER_BYTES = 64 * 1024
const LINGER_MS = 1000

const REQUEST_LINE = /^\r?\n?([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP\/1\.\d$/

/** Serves a connection that has just been opened. @param respond must not throw */
export function serveOne(socket: Socket, limits: RequestLimits, respond: (request: Request) => Response): void {
  const closing = setTimeout(() => socket.destroy(), limits.connectionMs)
  const waiting = setTimeout(() => socket.destroy(), limits.headMs)
  socket.on('close', () => {
    clearTimeout(closing)
    clearTimeout(waiting)
  })
  // A broken connection is an ordinary end.
  socket.on('error', () => {})
  let head = ''
  const onData = (chunk: Buffer): void => {
    head += chunk.subarray(0, limits.headBytes + 1 - head.length).toString('latin1')
    const response = responseTo(head, limits.headBytes, respond)
    if (response === null) return
    clearTimeout(waiting)
    socket.off('data', onData)
    discard(socket)
    socket.cork()
    for (const part of response) socket.write(part)
    socket.end()
  }
  socket.on('data', onData)
}

/** @returns null while the head is incomplete */
function responseTo(head: string, maxBytes: number, respond: (request: Request) => Response): Wire | null {
  const end = /\r?\n\r?\n/.exec(head)
  if (end === null || end.index > maxBytes) return head.length > maxBytes ? format('GET', plain(431)) : badStart(head)
  const [line = ''] = head.split(/\r?\n(?!$)/, 1)
  const [, method, target] = REQUEST_LINE.exec(line) ?? []
  return method === undefined ? format('GET', plain(400)) : format(method, respond({ method, target }))
}

/** Rejects what cannot become a request, such as TLS, without waiting for more of it. */
const badStart = (head: string): Wire | null =>
  /^[\r\n]*[A-Za-z]*(?: |$)/.test(head) ? null : format('GET', plain(400))

/** A response with the status as its text. */
const plain = (status: number): Response => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: Buffer.from(`${STATUS_CODES[status]}\n`),
})

/** A response's bytes. */
type Wire = readonly (string | Buffer)[]

function format(method: string, { status, headers, body }: Response): Wire {
  const fields = {
    date: new Date().toUTCString(),
    ...headers,
    'content-length': body.length,
    connection: 'close',
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`
  return method === 'HEAD' ? [head] : [head, body]
}

function discard(socket: Socket): void {
  let bytes = 0
  const timer = setTimeout(() => socket.destroySoon(), LINGER_MS)
  socket.on('close', () => clearTimeout(timer))
  socket.on('data', (chunk) => {
    bytes += chunk.length
    if (bytes > LINGER_BYTES) socket.destroySoon()
  })
}
