/**
 * Finds the server's name in the first segment of a TLS connection (RFC 8446 §4.1.2, RFC 6066 §3). A ClientHello that
 * continues in another segment may have it there: then it is not found.
 */

const HANDSHAKE = 22
const CLIENT_HELLO = 1
/** Record header, handshake header, version and random. */
const SESSION_ID_AT = 5 + 4 + 2 + 32
const SERVER_NAME = 0
const HOST_NAME = 0
const FIRST_PRINTABLE = 0x21
const LAST_PRINTABLE = 0x7e

export class ServerName {
  /** The name, once `find` has found one: [start, end) of the same bytes. */
  start = 0
  end = 0

  /** Looks in the segment [at, end). @returns whether there is a name of printable ASCII */
  find(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at <= SESSION_ID_AT || bytes[at] !== HANDSHAKE || bytes[at + 5] !== CLIENT_HELLO) return false
    let next = at + SESSION_ID_AT
    next += 1 + bytes[next]
    if (next + 2 > end) return false
    next += 2 + uint16(bytes, next)
    if (next >= end) return false
    next += 1 + bytes[next] + 2
    while (next + 4 <= end) {
      const length = uint16(bytes, next + 2)
      if (uint16(bytes, next) === SERVER_NAME) return this.#readName(bytes, next + 4, end)
      next += 4 + length
    }
    return false
  }

  /** Of the list at `at`, the first entry: there is one in practice. */
  #readName(bytes: Uint8Array, at: number, end: number): boolean {
    if (at + 5 > end || bytes[at + 2] !== HOST_NAME) return false
    const length = uint16(bytes, at + 3)
    this.start = at + 5
    this.end = this.start + length
    if (length === 0 || this.end > end) return false
    for (let i = this.start; i < this.end; i++) {
      if (bytes[i] < FIRST_PRINTABLE || bytes[i] > LAST_PRINTABLE) return false
    }
    return true
  }
}

const uint16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1]
