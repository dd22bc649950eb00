/** Requests to the server, and the stream of pairs. */
import type { StreamMessage, UiError } from '../protocol.ts'
import { readToken } from './token.ts'

const token = readToken()

/** A request that failed: the response is an error, or there is none. */
export class RequestFailure extends Error {
  readonly status: number
  readonly hint: string | null

  /** @param status 0: there was no response */
  constructor(status: number, message: string, hint: string | null) {
    super(message)
    this.status = status
    this.hint = hint
  }
}

/** @throws RequestFailure */
export async function request(path: string, signal?: AbortSignal): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(path, { headers, ...(signal === undefined ? {} : { signal }) }).catch(
    (error: unknown) => {
      if (signal?.aborted === true) throw error
      throw new RequestFailure(0, 'interceptor does not respond', 'It has ended, or is unreachable from here.')
    },
  )
  if (response.ok) return response
  const { message, hint } = (await response.json().catch(() => ({}))) as Partial<UiError>
  throw new RequestFailure(response.status, message ?? `status ${response.status}`, hint ?? null)
}

/** @throws RequestFailure */
export const requestJson = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  (await (await request(path, signal)).json()) as T

/** Reads the stream until it ends. @throws RequestFailure, and AbortError once `signal` is aborted */
export async function readStream(
  query: string,
  onMessage: (message: StreamMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  const { body } = await request(`/api/stream?${query}`, signal)
  if (body === null) return
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onMessage(JSON.parse(line) as StreamMessage)
  }
}

/** Saves a response as a file. @throws RequestFailure */
export async function save(path: string, name: string): Promise<void> {
  const blob = await (await request(path)).blob()
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  // Revoke the URL late: the browser must have opened the blob before.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
