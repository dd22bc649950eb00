/**
 * Requests to the API server: a single JSON response, or the event stream of a watch. Every request opens a new
 * connection, so a dead one is never reused and a load balancer can choose another server.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { errorText } from '../../errors.ts'
import { VERSION } from '../../version.ts'
import type { ApiAccess } from './access.ts'
import { ApiError, errorFromStatus } from './api-error.ts'
import { asObject, textAt } from './json.ts'
import { LineSplitter } from './line-splitter.ts'

/** Timeouts of a response's head, and of the body of a response that is not a watch. */
const HEAD_MS = 30_000
const BODY_MS = 120_000
/** Largest response that is not a watch; a page of 500 pods is about 10 MB. */
const BODY_BYTES = 128 * 1024 * 1024
/** Largest event: an object is below 1.5 MiB in etcd, and at most half as large again in JSON. */
const LINE_BYTES = 8 * 1024 * 1024
/** Largest part of an error response that is read. */
const STATUS_BYTES = 64 * 1024

/** Query parameters; undefined ones are omitted. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** One event of a watch. */
export interface WatchEvent {
  readonly type: string
  readonly object: unknown
}

export interface WatchOptions {
  signal: AbortSignal
  /** The connection is closed after this long without a byte, because it may be dead. */
  idleMs: number
  /** The server accepted the request. */
  onOpen(): void
  /** An exception from it ends the watch. */
  onEvent(event: WatchEvent): void
}

export interface GetOptions {
  signal: AbortSignal
  /** Default: application/json. */
  accept?: string
}

export class ApiClient {
  readonly #access: ApiAccess

  constructor(access: ApiAccess) {
    this.#access = access
  }

  /** @throws ApiError for every failure */
  async get(path: string, query: Query, options: GetOptions): Promise<unknown> {
    const response = await this.#send(path, query, options.signal, options.accept)
    return parse(await readBody(response, BODY_BYTES))
  }

  /**
   * Watches until the server ends the response after `timeoutSeconds`, or sends nothing for `idleMs`. The latter means a
   * quiet cluster or a dead connection; the next request shows which.
   *
   * @throws ApiError: the request was refused, the connection broke, or it carried something other than events
   */
  async watch(path: string, query: Query, options: WatchOptions): Promise<void> {
    const response = await this.#send(path, { ...query, watch: true }, options.signal)
    options.onOpen()
    await readEvents(response, options)
  }

  /** Sends a GET and waits for the response's head. After a 401 the next request reads its credentials again. */
  async #send(path: string, query: Query, signal: AbortSignal, accept?: string): Promise<IncomingMessage> {
    const response = await this.#head(path, query, signal, accept).catch((error) => {
      throw new ApiError(0, errorText(error))
    })
    const status = response.statusCode ?? 0
    if (status === 200) return response
    if (status === 401) this.#access.forgetCredentials()
    const body = await readBody(response, STATUS_BYTES).catch(() => '')
    throw errorFromStatus(status, tryParse(body), response.headers['retry-after'])
  }

  async #head(path: string, query: Query, signal: AbortSignal, accept?: string): Promise<IncomingMessage> {
    const url = addressOf(this.#access.server, path, query)
    const credentials = await this.#access.credentials()
    const headers = { ...credentials.headers, accept: accept ?? 'application/json', 'user-agent': USER_AGENT }
    const options = { ...credentials, headers, signal, agent: false as const }
    return new Promise((resolve, reject) => {
      const request = sendTo(url, options)
      const timer = setTimeout(() => request.destroy(new Error('no response')), HEAD_MS)
      request.on('error', reject)
      request.on('close', () => clearTimeout(timer))
      request.on('response', (response) => {
        clearTimeout(timer)
        // Without a listener, an error before the body is read would end the process.
        response.on('error', () => {})
        resolve(response)
      })
      request.end()
    })
  }
}

const USER_AGENT = `interceptor/${VERSION}`

const sendTo = (url: URL, options: RequestOptions): ReturnType<typeof httpRequest> =>
  url.protocol === 'http:' ? httpRequest(url, options) : httpsRequest(url, options)

function addressOf(server: URL, path: string, query: Query): URL {
  const url = new URL(server)
  url.pathname = url.pathname.replace(/\/$/, '') + path
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  return url
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  const timer = setTimeout(() => response.destroy(new Error('the response did not end in time')), BODY_MS)
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw new Error(`the response exceeds ${maxBytes} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw new ApiError(0, errorText(error))
  } finally {
    clearTimeout(timer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function readEvents(response: IncomingMessage, options: WatchOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => void response.destroy(new Error(why))
    const splitter = new LineSplitter(LINE_BYTES, (line) => options.onEvent(eventOf(line)))
    const timer = setTimeout(() => {
      resolve()
      response.destroy()
    }, options.idleMs)
    response.on('data', (chunk: Buffer) => {
      timer.refresh()
      try {
        if (!splitter.feed(chunk)) fail(`an event exceeds ${LINE_BYTES} bytes`)
      } catch (error) {
        response.destroy(error as Error)
      }
    })
    response.on('end', resolve)
    response.on('error', (error) => reject(error instanceof ApiError ? error : new ApiError(0, errorText(error))))
    // Emitted in every case, also without `end` or `error`.
    response.on('close', () => {
      clearTimeout(timer)
      reject(new ApiError(0, 'the connection was closed'))
    })
  })
}

function eventOf(line: string): WatchEvent {
  const event = asObject(parse(line))
  return { type: textAt(event, 'type'), object: event['object'] }
}

function parse(text: string): unknown {
  const value = tryParse(text)
  if (value === undefined) throw new ApiError(0, 'the response is not JSON')
  return value
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
