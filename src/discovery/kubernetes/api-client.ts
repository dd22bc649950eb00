/**
 * Requests to the API server: one JSON answer, or a stream of a watch's events. Each has a connection of its own, so a
 * dead one is never used again and a load balancer may choose another server.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { errorText } from '../../errors.ts'
import { VERSION } from '../../version.ts'
import type { ApiAccess } from './access.ts'
import { ApiError, errorFromStatus } from './api-error.ts'
import { asObject, textAt } from './json.ts'
import { LineSplitter } from './line-splitter.ts'

/** Longest wait for the head of an answer, and for the body of one that is no watch. */
const ANSWER_MS = 30_000
const BODY_MS = 120_000
/** Largest answer that is no watch; a page of 500 pods has some 10 MB. */
const BODY_BYTES = 128 * 1024 * 1024
/** Largest event: an object of the API is below 1.5 MiB in etcd, and grows by half at most as JSON. */
const LINE_BYTES = 8 * 1024 * 1024
/** Error answers are read up to this. */
const STATUS_BYTES = 64 * 1024

/** The last of a request's query; undefined members are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** One event of a watch. */
export interface WatchEvent {
  readonly type: string
  readonly object: unknown
}

export interface WatchOptions {
  signal: AbortSignal
  /** Without a byte for so long, the connection is given up: it may be dead. */
  idleMs: number
  /** The server took the request. */
  onOpen(): void
  /** What it throws ends the watch. */
  onEvent(event: WatchEvent): void
}

export interface GetOptions {
  signal: AbortSignal
  /** Absent: application/json. */
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
   * Watches until the server ends it in good order, which it does after `timeoutSeconds`, or falls silent: whether that is
   * a quiet cluster or a dead connection, the next request tells.
   *
   * @throws ApiError: it was refused, or the connection broke, or carried what is no event
   */
  async watch(path: string, query: Query, options: WatchOptions): Promise<void> {
    const response = await this.#send(path, { ...query, watch: true }, options.signal)
    options.onOpen()
    await readEvents(response, options)
  }

  /** Sends a GET and waits for its head. A 401 makes the next request read its credentials anew. */
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
      const timer = setTimeout(() => request.destroy(new Error('no answer')), ANSWER_MS)
      request.on('error', reject)
      request.on('close', () => clearTimeout(timer))
      request.on('response', (response) => {
        clearTimeout(timer)
        // A fault while nobody reads it yet would end the process.
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
  const timer = setTimeout(() => response.destroy(new Error('the answer does not end')), BODY_MS)
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw new Error(`an answer of more than ${maxBytes} bytes`)
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
        if (!splitter.feed(chunk)) fail(`an event of more than ${LINE_BYTES} bytes`)
      } catch (error) {
        response.destroy(error as Error)
      }
    })
    response.on('end', resolve)
    response.on('error', (error) => reject(error instanceof ApiError ? error : new ApiError(0, errorText(error))))
    // Every end comes by here, also one without `end` or `error`.
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
  if (value === undefined) throw new ApiError(0, 'the answer is no JSON')
  return value
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
