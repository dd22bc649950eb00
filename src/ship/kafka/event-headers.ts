/**
 * CloudEvents 1.0 in binary mode (Kafka protocol binding §3.2): the attributes of a pair's event as record headers, kept
 * laid out in one buffer of which only the id and the time change from pair to pair.
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

/** One header as laid in a record: key and value, each with its length. */
function layHeader(key: string, value: Uint8Array): Uint8Array {
  const name = text.encode(key)
  const laid = new Uint8Array(varintBytes(name.length) + name.length + varintBytes(value.length) + value.length)
  let at = writeVarint(laid, 0, name.length)
  laid.set(name, at)
  at = writeVarint(laid, at + name.length, value.length)
  laid.set(value, at)
  return laid
}

/** The headers of one record, laid again for each pair. */
export class EventHeaders {
  /** The headers with their count in front, as a record ends with them. Valid until the next `lay`. */
  bytes = new Uint8Array(0)
  readonly #fixed: readonly Uint8Array[]
  #idAt = 0
  #idLength = -1
  #timeAt = 0
  #second = -1

  /** @param source `ce_source`, a URI reference @param contentType the media type of the values */
  constructor(source: string, contentType: string) {
    this.#fixed = [
      layHeader('ce_specversion', text.encode('1.0')),
      layHeader('ce_type', text.encode(EVENT_TYPE)),
      layHeader('ce_source', text.encode(source)),
      layHeader('content-type', text.encode(contentType)),
    ]
  }

  /**
   * Lays the headers of a pair.
   *
   * @param pair,idStart,idLength where the pair's id is, UTF-8
   * @param micros the request's first byte, microseconds since the Unix epoch: `ce_time`, RFC 3339
   */
  lay(pair: Uint8Array, idStart: number, idLength: number, micros: number): void {
    if (idLength !== this.#idLength) this.#layOut(idLength)
    const { bytes } = this
    for (let index = 0; index < idLength; index += 1) bytes[this.#idAt + index] = pair[idStart + index]
    this.#layTime(micros)
  }

  #layTime(micros: number): void {
    const second = Math.floor(micros / 1e6)
    if (second !== this.#second) {
      this.#second = second
      text.encodeInto(rfc3339(second), this.bytes.subarray(this.#timeAt))
    }
    let fraction = micros - second * 1e6
    for (let digit = 5; digit >= 0; digit -= 1) {
      const rest = Math.floor(fraction / 10)
      this.bytes[this.#timeAt + FRACTION_AT + digit] = ZERO + (fraction - rest * 10)
      fraction = rest
    }
  }

  #layOut(idLength: number): void {
    const id = layHeader('ce_id', new Uint8Array(idLength))
    const time = layHeader('ce_time', new Uint8Array(TIME_BYTES))
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

/** A whole second as RFC 3339 with a fraction of zeros. Times a Date cannot hold become its epoch. */
function rfc3339(second: number): string {
  const inRange = second >= 0 && second < 253_402_300_800
  return `${new Date(inRange ? second * 1000 : 0).toISOString().slice(0, 19)}.000000Z`
}
