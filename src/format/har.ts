/**
 * Formats pairs as HTTP Archive 1.2 (http://www.softwareishard.com/blog/har-12-spec/), which browsers' developer tools
 * and proxies import.
 *
 * Entries are in the order of the pairs. As HAR requires, names of fields that it does not define begin with an
 * underscore: the pair's id, its ends, its capture point, the target as sent.
 */
import { headerValue, type Message, mediaType, type Pair, type RequestMessage } from '../pair/pair.ts'
import { bodyText } from '../pair/to-json.ts'
import type { FormatOptions, PairFormat } from './output-format.ts'
import { pairFormat } from './pair-format.ts'
import { requestUrl } from './request-url.ts'

interface NameValue {
  name: string
  value: string
}

const parameters = (text: string): NameValue[] =>
  Array.from(new URLSearchParams(text), ([name, value]) => ({ name, value }))

function queryString(target: string): NameValue[] {
  const [withoutFragment = ''] = target.split('#', 1)
  const mark = withoutFragment.indexOf('?')
  return mark < 0 ? [] : parameters(withoutFragment.slice(mark + 1))
}

const headers = (message: Message): NameValue[] => message.headers.map(([name, value]) => ({ name, value }))

const valuesOf = (message: Message, name: string): string[] =>
  message.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)

/** Splits `name=value`; a text without `=` is a name with an empty value. */
function nameAndValue(text: string): NameValue {
  const mark = text.indexOf('=')
  return mark < 0
    ? { name: text.trim(), value: '' }
    : { name: text.slice(0, mark).trim(), value: text.slice(mark + 1).trim() }
}

/** Cookies of all `Cookie` fields (RFC 6265 §4.2.1). */
const requestCookies = (message: Message): NameValue[] =>
  valuesOf(message, 'cookie')
    .flatMap((value) => value.split(';'))
    .filter((part) => part.trim() !== '')
    .map(nameAndValue)

/** The cookie of a `Set-Cookie` line (RFC 6265 §4.1.1), without an expiry date that cannot be parsed. */
function responseCookie(line: string): object {
  const [first = '', ...attributes] = line.split(';')
  const cookie: Record<string, unknown> = { ...nameAndValue(first) }
  for (const { name, value } of attributes.map(nameAndValue)) {
    const key = name.toLowerCase()
    const expires = key === 'expires' ? Date.parse(value) : Number.NaN
    if (key === 'path' || key === 'domain') cookie[key] = value
    else if (key === 'httponly') cookie['httpOnly'] = true
    else if (key === 'secure') cookie['secure'] = true
    else if (!Number.isNaN(expires)) cookie['expires'] = new Date(expires).toISOString()
  }
  return cookie
}

/**
 * In HAR `text` and `params` exclude each other, but browsers write both and importers show `text`, so both are
 * written. HAR cannot mark `text` as base64 here; `_encoding` does.
 */
function postData(request: RequestMessage): object {
  if (request.body.length === 0) return {}
  const { text, encoding } = bodyText(request.body)
  const isForm = encoding === 'utf8' && mediaType(request) === 'application/x-www-form-urlencoded'
  return {
    postData: {
      mimeType: headerValue(request, 'content-type') ?? '',
      params: isForm ? parameters(text) : [],
      text,
      ...(encoding === 'base64' ? { _encoding: encoding } : {}),
    },
  }
}

function content(response: Message): object {
  const { text, encoding } = bodyText(response.body)
  return {
    size: response.body.length,
    ...(response.decoded ? { compression: response.body.length - response.bodySize } : {}),
    mimeType: headerValue(response, 'content-type') ?? '',
    text,
    ...(encoding === 'base64' ? { encoding } : {}),
  }
}

/** Microseconds since the Unix epoch as ISO 8601 with six decimals. */
function isoTime(micros: number): string {
  const ms = Math.floor(micros / 1000)
  return new Date(ms).toISOString().replace('Z', `${String(micros - ms * 1000).padStart(3, '0')}Z`)
}

/** Milliseconds, never negative: where a response begins before its request has ended, `wait` is 0. */
function timings(pair: Pair): { send: number; wait: number; receive: number } {
  const sent = Math.max(pair.requestStartMicros, Math.min(pair.requestEndMicros, pair.responseStartMicros))
  const started = Math.max(sent, pair.responseStartMicros)
  const received = Math.max(started, pair.responseEndMicros)
  return {
    send: (sent - pair.requestStartMicros) / 1000,
    wait: (started - sent) / 1000,
    receive: (received - started) / 1000,
  }
}

function entry(pair: Pair): object {
  const { request, response, client, server } = pair
  const parts = timings(pair)
  return {
    startedDateTime: isoTime(pair.requestStartMicros),
    time: parts.send + parts.wait + parts.receive,
    request: {
      method: request.method,
      url: requestUrl(pair),
      httpVersion: `HTTP/${request.httpVersion}`,
      cookies: requestCookies(request),
      headers: headers(request),
      queryString: queryString(request.target),
      ...postData(request),
      headersSize: -1,
      bodySize: request.bodySize,
      _target: request.target,
    },
    response: {
      status: response.status,
      statusText: response.reason,
      httpVersion: `HTTP/${response.httpVersion}`,
      cookies: valuesOf(response, 'set-cookie').map(responseCookie),
      headers: headers(response),
      content: content(response),
      redirectURL: headerValue(response, 'location') ?? '',
      headersSize: -1,
      bodySize: response.bodySize,
    },
    cache: {},
    timings: parts,
    serverIPAddress: server.address,
    connection: `${client.address}:${client.port}`,
    _id: pair.id,
    _client: client,
    _server: server,
    _capture: pair.capture,
    _flags: pair.flags,
  }
}

/** `-o har`. */
export function harFormat(options: FormatOptions): PairFormat {
  const creator = JSON.stringify({ name: 'Interceptor', version: options.version })
  let before = '\n'
  const entries = pairFormat(options, (pair) => {
    const text = before + JSON.stringify(entry(pair))
    before = ',\n'
    return text
  })
  return {
    ...entries,
    // Pages are optional in HAR; Firefox refuses a file without the key.
    begin: () => `{"log":{"version":"1.2","creator":${creator},"pages":[],"entries":[`,
    resume(hasPairs) {
      if (hasPairs) before = ',\n'
    },
    end: () => '\n]}}\n',
  }
}
