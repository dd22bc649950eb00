/**
 * CloudEvents 1.0 in binary mode (Kafka protocol binding §3.2): the attributes of a pair's event as record headers.
 * They stay encoded in one buffer, in which only the id and the time are overwritten from pair to pair.
 */
import { varintBytes, writeVarint } from '../../kafka/record-batch.ts'

/** The event's type: what happened, and the major version of its data. */
const EVENT_TYPE = 'dev.interceptor.http.pair.v1'

const HEADER_COUNT = 6
/** `2026-11-23T12:58:07.123456Z` */
const TIME_BYTES = 27
const FRACTION_AT = 20
const ZERO = 0x30

const text = new TextEncoder()

/** One header as it appears in a record: key and value, each with its length. */
function encodeHeader(key: string, value: Uint8Array): Uint8Array {
  const name = text.encode(key)
  const header = new Uint8Array(varintBytes(name.length) + name.length + varintBytes(value.length) + value.length)
  let at = writeVarint(header, 0, name.length)
  header.set(name, at)
  at = writeVarint(header, at + name.length, value.length)
  header.set(value, at)
  return header
}

/** The headers of one record, rewritten for each pair. */
export class EventHeaders {
  /** The headers with their count in front: the end of a record. Valid until the next `write`. */
  bytes = new Uint8Array(0)
  readonly #fixed: readonly Uint8Array[]
  #idAt = 0
  #idLength = -1
  #timeAt = 0
  #second = -1

  /** @param source `ce_source`, a URI reference @param contentType the media type of the values */
  constructor(source: string, contentType: string) {
    this.#fixed = [
      encodeHeader('ce_specversion', text.encode('1.0')),
      encodeHeader('ce_type', text.encode(EVENT_TYPE)),
      encodeHeader('ce_source', text.encode(source)),
      encodeHeader('content-type', text.encode(contentType)),
    ]
  }

  /**
   * Writes the headers of a pair to `bytes`.
   *
   * @param pair,idStart,idLength where the pair's id is, UTF-8
   * @param micros the request's first byte, microseconds since the Unix epoch: `ce_time`, RFC 3339
   */
  write(pair: Uint8Array, idStart: number, idLength: number, micros: number): void {
    if (idLength !== this.#idLength) this.#allocate(idLength)
    const { bytes } = this
    const idAt = this.#idAt
    for (let index = 0; index < idLength; index += 1) bytes[idAt + index] = pair[idStart + index]
    this.#writeTime(micros)
  }

  #writeTime(micros: number): void {
    const second = Math.floor(micros / 1e6)
    if (second !== this.#second) {
      this.#second = second
      text.encodeInto(rfc3339(second), this.bytes.subarray(this.#timeAt))
    }
    const { bytes } = this
    const fractionAt = this.#timeAt + FRACTION_AT
    let fraction = (micros - second * 1e6) | 0
    for (let at = fractionAt + 5; at >= fractionAt; at -= 1) {
      const rest = (fraction / 10) | 0
      bytes[at] = ZERO + fraction - rest * 10
      fraction = rest
    }
  }

  #allocate(idLength: number): void {
    const id = encodeHeader('ce_id', new Uint8Array(idLength))
    const time = encodeHeader('ce_time', new Uint8Array(TIME_BYTES))
    const parts = [Uint8Array.of(HEADER_COUNT * 2), ...this.#fixed, id, time]
    this.bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      this.bytes.set(part, at)
      at += part.length
    }
    this.#idLength = idLength
    this.#idAt = at - time.length - idLength
    this.#timeAt = at - TIME_BYTES
    this.#second = -1
  }
}

/** A whole second as RFC 3339 with a fraction of zeros. Times outside a Date's range become 1970-01-01. */
function rfc3339(second: number): string {
  const inRange = second >= 0 && second < 253_402_300_800
  return `${new Date(inRange ? second * 1000 : 0).toISOString().slice(0, 19)}.000000Z`
}
