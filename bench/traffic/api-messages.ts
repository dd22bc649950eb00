/**
 * Messages of an API behind a gateway: request heads of 420 to 1,000 bytes with a token and trace headers, 30 % POST with
 * JSON, responses with ten headers and JSON of 0.7 KB in the middle and 60 KB at most, 30 % of them chunked, 3 % 404.
 */
import type { Random } from './random.ts'

const AGENTS = [
  'okhttp/4.12.0',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'axios/1.7.2',
  'python-requests/2.32.3',
  'Go-http-client/1.1',
]
const PATHS = ['/v1/orders/', '/v1/users/', '/api/catalog/items/', '/v1/carts/', '/v2/search/', '/internal/stock/']
const token = (part: string): string => Buffer.from(part).toString('base64url')
const AUTHORIZATION = `Bearer ${token('{"alg":"RS256","typ":"JWT"}')}.${token('{"sub":"1234567890","name":"A. Person","iat":1516239022}')}.${token('a signature of the usual length, more or less')}`

/** What bodies are cut from. */
const JSON_TEXT = JSON.stringify(
  Array.from({ length: 2000 }, (_, id) => ({ id, name: `user${id}`, email: `u${id}@example.com` })),
)
const LARGEST_BODY = 60_000

/** User agent of a new client. */
export const apiAgent = (random: Random): string => random.pick(AGENTS)

export function apiRequest(random: Random, agent: string): Buffer {
  const post = random.chance(0.3)
  const lines = [
    `${post ? 'POST' : 'GET'} ${random.pick(PATHS)}${random.hex(8)}?page=${random.below(100)} HTTP/1.1`,
    'Host: api.example.internal:8443',
    `User-Agent: ${agent}`,
    'Accept: application/json',
    'Accept-Encoding: gzip, deflate, br',
    `Authorization: ${AUTHORIZATION}`,
    `X-Request-Id: ${random.hex(32)}`,
    `traceparent: 00-${random.hex(32)}-${random.hex(16)}-01`,
    `X-Forwarded-For: 10.${random.below(255)}.${random.below(255)}.7, 10.0.0.3`,
  ]
  if (!post) return message(lines, '')
  const body = JSON.stringify({ sku: random.hex(8), quantity: random.below(100), note: 'n'.repeat(random.below(400)) })
  return message([...lines, 'Content-Type: application/json; charset=utf-8', `Content-Length: ${body.length}`], body)
}

export function apiResponse(random: Random): Buffer {
  const lines = [
    `HTTP/1.1 ${random.chance(0.03) ? '404 Not Found' : '200 OK'}`,
    `Date: Mon, 23 Nov 2026 04:${10 + random.below(49)}:${10 + random.below(49)} GMT`,
    'Content-Type: application/json; charset=utf-8',
    'Connection: keep-alive',
    'Cache-Control: no-cache, no-store, must-revalidate',
    `ETag: W/"${random.hex(16)}"`,
    'Vary: Accept-Encoding, Origin',
    `X-Request-Id: ${random.hex(32)}`,
    `X-Response-Time: ${random.below(300)}ms`,
    'Strict-Transport-Security: max-age=31536000; includeSubDomains',
    'Server: envoy',
  ]
  const body = JSON_TEXT.slice(0, bodyLength(random))
  if (!random.chance(0.3)) return message([...lines, `Content-Length: ${body.length}`], body)
  return message([...lines, 'Transfer-Encoding: chunked'], chunked(random, body))
}

/** Roughly log-normal, as for bodies of real APIs: the sum of three uniform numbers approximates a normal one. */
function bodyLength(random: Random): number {
  const spread = random.next() + random.next() + random.next() - 1.5
  return Math.min(LARGEST_BODY, Math.floor(Math.exp(6.6 + 1.9 * spread)))
}

function chunked(random: Random, body: string): string {
  let text = ''
  for (let at = 0; at < body.length; ) {
    const end = Math.min(body.length, at + 512 + random.below(4096))
    text += `${(end - at).toString(16)}\r\n${body.slice(at, end)}\r\n`
    at = end
  }
  return `${text}0\r\n\r\n`
}

const message = (lines: string[], body: string): Buffer => Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1')
