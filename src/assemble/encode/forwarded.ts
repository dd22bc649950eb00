/**
 * What a mesh's proxy says of the real client, for pairs from a sidecar's loopback, where the client is the proxy itself:
 * those fields of the request by which proxies pass it on. They are claims, told as attributes and never used as addresses.
 */
import { Caseless } from '../http1/text.ts'
import type { Arena } from '../memory/arena.ts'
import type { MessageWriter } from './message-writer.ts'
import { TextReader } from './text-reader.ts'

/** Fields by their whole name: RFC 7239, common practice, and Linkerd's client identity. */
const NAMES = ['forwarded', 'x-real-ip', 'l5d-client-id'].map((name) => new Caseless(name))
/** Fields by what their name begins with. */
const PREFIXES = ['x-forwarded-', 'x-envoy-'].map((prefix) => new Caseless(prefix))

/** Most bytes laid: client certificates are passed on too, and all of it is in the request's headers once more. */
export const FORWARDED_BYTES = 4096
/** Most fields told: as many as a short array has. */
const MOST_FIELDS = 15

export class ForwardedWriter {
  readonly #arena: Arena
  readonly #messages: MessageWriter
  readonly #text: TextReader

  constructor(arena: Arena, messages: MessageWriter) {
    this.#arena = arena
    this.#messages = messages
    this.#text = new TextReader(arena)
  }

  /**
   * Lays an array of such fields, each as it stands in the request's `headers`: `[name, value]`.
   *
   * @param request address of the laid request
   * @returns the address after it; `to` where there is no such field
   */
  write(to: number, request: number): number {
    const { bytes } = this.#arena
    const text = this.#text
    const headers = this.#messages.requestHeaders(request)
    let at = to + 1
    let found = 0
    let field = text.afterArrayHeader(headers)
    for (let left = text.arrayLength(headers); left > 0 && found < MOST_FIELDS; left--) {
      const value = text.afterString(field + 1)
      const end = text.afterString(value)
      if (this.#tells(field + 1, value) && at + end - field - to <= FORWARDED_BYTES) {
        bytes.copyWithin(at, field, end)
        at += end - field
        found++
      }
      field = end
    }
    if (found === 0) return to
    bytes[to] = 0x90 | found
    return at
  }

  /** Whether the string at `name`, which ends before `end`, is the name of such a field. */
  #tells(name: number, end: number): boolean {
    const { view } = this.#arena
    const start = this.#text.afterStringHeader(name)
    const length = end - start
    return (
      NAMES.some((known) => length === known.length && known.matches(view, start)) ||
      PREFIXES.some((known) => length >= known.length && known.matches(view, start))
    )
  }
}
