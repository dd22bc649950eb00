/** Requests and responses as text, and conversations whose content reveals wrong pairs. */
import type { Pair } from '../../src/pair/pair.ts'
import { type ScriptOptions, TcpScript } from './tcp-script.ts'

export function request(target: string, options: { method?: string; headers?: string[]; body?: string } = {}): string {
  const { method = options.body === undefined ? 'GET' : 'POST', headers = [], body = '' } = options
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: api', ...headers]
  if (body !== '') lines.push(`Content-Length: ${Buffer.byteLength(body, 'latin1')}`)
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

export function response(body = '', options: { status?: number; headers?: string[] } = {}): string {
  const { status = 200, headers = ['Content-Type: application/json'] } = options
  const lines = [`HTTP/1.1 ${status} X`, ...headers, `Content-Length: ${Buffer.byteLength(body, 'latin1')}`]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

export function chunked(
  chunks: readonly string[],
  headers: readonly string[] = [],
  trailers: readonly string[] = [],
): string {
  const coded = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')
  const head = ['HTTP/1.1 200 OK', ...headers, 'Transfer-Encoding: chunked']
  return `${head.join('\r\n')}\r\n\r\n${coded}0\r\n${trailers.map((line) => `${line}\r\n`).join('')}\r\n`
}

/** The response to request `/n`, marked so that `wrongPairs` recognises it. */
export function numbered(n: number, body = `{"n":${n}}`): string {
  return response(body, { headers: ['Content-Type: application/json', `X-Answer-To: /${n}`] })
}

/** `count` exchanges one after the other: requests for `/n`, each with its numbered response. */
export function sequential(count: number, options: ScriptOptions = {}): TcpScript {
  const script = new TcpScript(options).handshake()
  for (let n = 0; n < count; n++) script.client(request(`/${n}`)).server(numbered(n))
  return script.close()
}

/** The pairs of numbered exchanges that combine a request with the response to another one. */
export function wrongPairs(pairs: readonly Pair[]): string[] {
  return pairs
    .map(({ request: { target }, response: { headers } }) => ({
      target,
      answersTo: headers.find(([name]) => name === 'X-Answer-To')?.[1],
    }))
    .filter(({ target, answersTo }) => target !== answersTo)
    .map(({ target, answersTo }) => `${target} with the response to ${answersTo}`)
}
