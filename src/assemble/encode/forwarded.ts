/**
 * Writes `capture.forwarded` for pairs captured between a mesh's proxy and its application, where the connection's
 * client is the proxy: the request's header fields in which proxies name the original client. They are claims of the
 * sender, so they are reported as attributes and never used as addresses.
 */
import { Caseless } from '../http1/text.ts'
import { type ReadableMemory, TextReader } from './text-reader.ts'

/** Fields matched by their whole name: RFC 7239, common practice, and Linkerd's client identity. */
const NAMES = ['forwarded', 'x-real-ip', 'l5d-client-id'].map((name) => new Caseless(name))
/** Fields matched by the start of their name. */
const PREFIXES = ['x-forwarded-', 'x-envoy-'].map((prefix) => new Caseless(prefix))

/** Limit in bytes. Fields with client certificates may exceed it; they are still in the request's headers. */
export const FORWARDED_BYTES = 4096
/** Limit of fields: the most that a fixarray header can count. */
const MAX_FIELDS = 15

export class ForwardedWriter {
  readonly #memory: ReadableMemory
  readonly #text: TextReader

  constructor(memory: ReadableMemory) {
    this.#memory = memory
    this.#text = new TextReader(memory)
  }

  /**
   * Writes an array of such fields, each as in the request's `headers`: `[name, value]`.
   *
   * @param headers address of the request's `headers`, an array
   * @returns the address after it; `to` where there is no such field
   */
  write(to: number, headers: number): number {
    const { bytes } = this.#memory
    const text = this.#text
    let at = to + 1
    let found = 0
    let field = text.afterArrayHeader(headers)
    for (let left = text.arrayLength(headers); left > 0 && found < MAX_FIELDS; left--) {
      const value = text.afterString(field + 1)
      const end = text.afterString(value)
      if (this.#isForwarding(field + 1, value) && at + end - field - to <= FORWARDED_BYTES) {
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

  /** @returns whether the string at `name`, which ends before `end`, is the name of such a field */
  #isForwarding(name: number, end: number): boolean {
    const { view } = this.#memory
    const start = this.#text.afterStringHeader(name)
    const length = end - start
    return (
      NAMES.some((known) => length === known.length && known.matches(view, start)) ||
      PREFIXES.some((known) => length >= known.length && known.matches(view, start))
    )
  }
}
