/**
 * The server of `interceptor ui`: the page's files, and data about the pairs. It accepts GET only, writes nothing, and sends
 * data only to requests with the token of its address (access.ts). Main thread.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { errorText, hintOf, InterceptorError, usageError } from '../errors.ts'
import type { Log } from '../log/folded-log.ts'
import { type ListenSetting, listenOn, parseListenAddress } from '../net/listen-address.ts'
import { isLoopback, isOwnHost, newToken, tokenCheck } from './access.ts'
import { type Asset, readAssets } from './assets.ts'
import { PairStream } from './pair-stream.ts'
import type { UiError } from './protocol.ts'
import { respond, type UiData, type UiResponse } from './requests.ts'

const LISTEN: ListenSetting = {
  name: '--listen',
  example: '127.0.0.1:9465',
  hint: 'Choose another port with --listen; --listen 127.0.0.1:0 uses one that is free.',
}

/** Most connections, and of those the most that receive a stream. */
const MOST_CONNECTIONS = 128
const MOST_STREAMS = 32
const HEAD_BYTES = 16 * 1024
const HEAD_MS = 5_000

/**
 * Only the page's own files load and run, and no other page may embed it. Images in bodies have `blob:` URLs, the icon a
 * `data:` URL. Trusted Types: no text can become markup, even by a mistake in the page's code.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const

export interface UiOptions {
  /** `host:port`; port 0: one that is free. */
  readonly listen: string
  /** Permits an address that other machines can reach. */
  readonly allowRemote: boolean
  readonly data: UiData
  readonly log: Log
}

export interface UiServer {
  /** The address with the token: `http://127.0.0.1:9465/#token=…`. */
  readonly url: string
  /** Stops listening and closes every connection. */
  close(): Promise<void>
}

/** Starts the server. @throws InterceptorError that names --listen when it cannot listen there */
export async function serveUi({ listen, allowRemote, data, log }: UiOptions): Promise<UiServer> {
  const at = parseListenAddress(listen, LISTEN)
  if (at === null) throw usageError(`--listen: it must be host:port, such as ${LISTEN.example}`)
  if (!allowRemote && !isLoopback(at.host)) {
    throw usageError(`--listen: ${listen} can be reached from other machines`, {
      hint: 'Listen on 127.0.0.1, or add --allow-remote: traffic and token then cross the network unencrypted.',
    })
  }
  const token = newToken()
  const site = new Site(readAssets(), tokenCheck(token), at.host ?? '', data, log)
  const server = createServer({ maxHeaderSize: HEAD_BYTES, headersTimeout: HEAD_MS, requestTimeout: HEAD_MS })
  server.maxConnections = MOST_CONNECTIONS
  server.on('request', (request, response) => void site.serve(request, response))
  const url = await listenOn(server, at, LISTEN)
  server.on('error', (error) => log.warn('the server of the page failed', { error: errorText(error) }))
  return { url: `${url}/#token=${token}`, close: () => close(server) }
}

class Site {
  readonly #assets: ReadonlyMap<string, Asset>
  readonly #hasToken: (authorization: string | undefined) => boolean
  readonly #listenHost: string
  readonly #data: UiData
  readonly #log: Log
  #streams = 0

  constructor(
    assets: ReadonlyMap<string, Asset>,
    hasToken: (authorization: string | undefined) => boolean,
    listenHost: string,
    data: UiData,
    log: Log,
  ) {
    this.#assets = assets
    this.#hasToken = hasToken
    this.#listenHost = listenHost
    this.#data = data
    this.#log = log
  }

  /** Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Clients may disconnect at any time: this is not an error.
    response.on('error', () => {})
    try {
      await this.#respond(request, response)
    } catch (error) {
      if (error instanceof InterceptorError) {
        fail(response, 400, error.message, hintOf(error))
        return
      }
      this.#log.error('a request of the page failed', { error: errorText(error) })
      fail(response, 500, 'this is a bug in interceptor; the log has the reason')
    }
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: target = '/', headers } = request
    if (!isOwnHost(headers.host, this.#listenHost)) {
      fail(response, 421, 'open the page by its address or as localhost, not by another name')
      return
    }
    if (method !== 'GET') {
      response.setHeader('allow', 'GET')
      fail(response, 405, 'the page answers GET requests only')
      return
    }
    const url = URL.canParse(target, 'http://ui') ? new URL(target, 'http://ui') : null
    const asset = this.#assets.get(url?.pathname ?? '')
    if (asset !== undefined) {
      response.writeHead(200, { ...HEADERS, 'content-type': asset.type, 'content-length': asset.body.length })
      response.end(asset.body)
      return
    }
    if (!this.#hasToken(headers.authorization)) {
      fail(response, 401, 'the token is missing or wrong', 'Open the address that interceptor printed.')
      return
    }
    if (url?.pathname === '/api/stream') await this.#stream(url, response)
    else sendResponse(response, url === null ? null : await respond(url, this.#data))
  }

  async #stream(url: URL, response: ServerResponse): Promise<void> {
    if (this.#streams >= MOST_STREAMS) {
      fail(response, 503, `more than ${MOST_STREAMS} pages are open`, 'Close one of them.')
      return
    }
    this.#streams += 1
    response.on('close', () => {
      this.#streams -= 1
    })
    const { traffic, source, select } = this.#data
    const selector = await select(url.searchParams)
    response.writeHead(200, { ...HEADERS, 'content-type': 'application/x-ndjson' })
    const state = () => traffic.state(source)
    const stream = new PairStream({ store: traffic.store, selector, output: response, state })
    response.on('close', () => stream.stop())
    if (!response.destroyed) stream.start()
  }
}

function fail(response: ServerResponse, status: number, message: string, hint: string | null = null): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const error: UiError = { message, hint }
  response.writeHead(status, { ...HEADERS, 'content-type': 'application/json' })
  response.end(`${JSON.stringify(error)}\n`)
}

function sendResponse(response: ServerResponse, found: UiResponse | null): void {
  if (found === null) {
    fail(response, 404, 'not found; a pair may have left the store since')
    return
  }
  const { type, body, name } = found
  const saved = name === undefined ? {} : { 'content-disposition': `attachment; filename="${name}"` }
  response.writeHead(200, { ...HEADERS, ...saved, 'content-type': type })
  if (typeof body === 'string' || body instanceof Uint8Array) response.end(body)
  else sendPieces(response, body[Symbol.iterator]())
}

/** Writes pieces as fast as the reader accepts them. */
function sendPieces(response: ServerResponse, pieces: Iterator<string>): void {
  for (;;) {
    if (response.destroyed) return
    const { value, done } = pieces.next()
    if (done === true) break
    if (!response.write(value)) {
      response.once('drain', () => setImmediate(() => sendPieces(response, pieces)))
      return
    }
  }
  response.end()
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
