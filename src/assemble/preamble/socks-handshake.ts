/**
 * The handshake with a SOCKS proxy, versions 5 (RFC 1928; passwords: RFC 1929), 4 and 4a, up to the reply that grants the
 * connection: what follows is what the client exchanges with the server behind the proxy. Not supported: GSSAPI, which may
 * encrypt what follows; the commands BIND and UDP ASSOCIATE; a client that sends on before the reply.
 *
 *     client                        server
 *     GREETING: methods        ──▶
 *                              ◀──  CHOICE of a method
 *     PASSWORD, if it is that  ──▶
 *                              ◀──  VERDICT
 *     REQUEST to connect       ──▶
 *                              ◀──  REPLY
 *
 * Version 4 has only the last two (REQUEST_4, REPLY_4). A client may send all its messages at once.
 */
import { PREAMBLE_DONE, PREAMBLE_INVALID, PREAMBLE_OPEN, type Preamble } from './preamble.ts'

export const SOCKS4 = 4
export const SOCKS5 = 5

const COMMAND_CONNECT = 1
const METHOD_NONE = 0
const METHOD_PASSWORD = 2
const PASSWORD_VERSION = 1
const ADDRESS_IPV4 = 1
const ADDRESS_NAME = 3
const ADDRESS_IPV6 = 4
const REPLY_SUCCEEDED = 0
const REPLY_GRANTED_4 = 0x5a
const REQUEST_4_BYTES = 8
/** Version 4 limits neither the user's name nor the host's; version 5 limits both to this. */
const LONGEST_NAME = 255
const LONGEST_MESSAGE = REQUEST_4_BYTES + 2 * (LONGEST_NAME + 1)

/** Messages, by their first byte and their position. */
const NOTHING = 0
const GREETING = 1
const PASSWORD = 2
const REQUEST = 3
const REQUEST_4 = 4
const CHOICE = 5
const VERDICT = 6
const REPLY = 7
const REPLY_4 = 8

/** Saved in front of the bytes of a side's message: what it is, whether it is the last one, and its length. */
const SAVED_BYTES = 4

/** What one side sends: the message in progress. */
class Side {
  expected = NOTHING
  readonly bytes = new Uint8Array(LONGEST_MESSAGE)
  length = 0
  /** Whether it has sent all its messages. */
  done = false

  expect(message: number): void {
    this.expected = message
    this.length = 0
  }

  get savedBytes(): number {
    return SAVED_BYTES + this.length
  }

  save(view: DataView, at: number): void {
    view.setUint8(at, this.expected)
    view.setUint8(at + 1, this.done ? 1 : 0)
    view.setUint16(at + 2, this.length)
    for (let i = 0; i < this.length; i++) view.setUint8(at + SAVED_BYTES + i, this.bytes[i])
  }

  load(view: DataView, at: number): void {
    this.expected = view.getUint8(at)
    this.done = view.getUint8(at + 1) !== 0
    this.length = view.getUint16(at + 2)
    for (let i = 0; i < this.length; i++) this.bytes[i] = view.getUint8(at + SAVED_BYTES + i)
  }
}

/** Parses one handshake. Reusable after `reset`. */
export class SocksHandshake implements Preamble {
  state = PREAMBLE_OPEN
  readonly #client = new Side()
  readonly #server = new Side()

  reset(): void {
    this.state = PREAMBLE_OPEN
    for (const side of [this.#client, this.#server]) {
      side.expect(NOTHING)
      side.done = false
    }
  }

  data(bytes: Uint8Array, at: number, end: number, fromClient: boolean): number {
    const side = fromClient ? this.#client : this.#server
    let p = at
    while (p < end && this.state === PREAMBLE_OPEN) this.#byte(side, bytes[p++])
    return p
  }

  get savedBytes(): number {
    return this.#client.savedBytes + this.#server.savedBytes
  }

  save(view: DataView, at: number): void {
    this.#client.save(view, at)
    this.#server.save(view, at + this.#client.savedBytes)
  }

  load(view: DataView, at: number): void {
    this.state = PREAMBLE_OPEN
    this.#client.load(view, at)
    this.#server.load(view, at + this.#client.savedBytes)
  }

  #byte(side: Side, c: number): void {
    if (side.length === 0 && side === this.#client) side.expect(clientMessage(side.expected, c))
    if (side.done || side.expected === NOTHING || side.length === LONGEST_MESSAGE) {
      this.state = PREAMBLE_INVALID
      return
    }
    side.bytes[side.length++] = c
    const size = sizeOf(side)
    if (size < 0 || !isValid(side)) this.state = PREAMBLE_INVALID
    else if (side.length === size) this.#complete(side)
  }

  #complete(side: Side): void {
    const server = this.#server
    const { expected, bytes } = side
    side.length = 0
    if (expected === GREETING) server.expect(CHOICE)
    else if (expected === REQUEST_4) server.expect(REPLY_4)
    else if (expected === CHOICE) server.expect(bytes[1] === METHOD_PASSWORD ? VERDICT : REPLY)
    else if (expected === VERDICT) server.expect(REPLY)
    if (expected === REQUEST || expected === REQUEST_4) side.done = true
    if (expected !== REPLY && expected !== REPLY_4) return
    this.state = this.#client.done ? PREAMBLE_DONE : PREAMBLE_INVALID
  }
}

/** What the client sends after `previous`, by its first byte. */
function clientMessage(previous: number, first: number): number {
  if (previous === NOTHING) return first === SOCKS5 ? GREETING : first === SOCKS4 ? REQUEST_4 : NOTHING
  if (previous === GREETING && first === PASSWORD_VERSION) return PASSWORD
  return (previous === GREETING || previous === PASSWORD) && first === SOCKS5 ? REQUEST : NOTHING
}

/** How long the message is, or more than its bytes so far; -1 if it is none. */
function sizeOf({ expected, bytes, length }: Side): number {
  if (expected === CHOICE || expected === VERDICT) return 2
  if (expected === REPLY_4) return REQUEST_4_BYTES
  if (expected === GREETING) return length < 2 ? 2 : 2 + bytes[1]
  if (expected === PASSWORD) {
    const user = length < 2 ? 0 : bytes[1]
    return 3 + user + (length < 3 + user ? 0 : bytes[2 + user])
  }
  if (expected === REQUEST_4) return sizeOfRequest4(bytes, length)
  if (length < 5) return 5
  const type = bytes[3]
  if (type === ADDRESS_IPV4) return 10
  if (type === ADDRESS_IPV6) return 22
  return type === ADDRESS_NAME ? 7 + bytes[4] : -1
}

/** The user's name ends with a zero byte; behind an address 0.0.0.x the name of a host follows likewise (4a). */
function sizeOfRequest4(bytes: Uint8Array, length: number): number {
  if (length <= REQUEST_4_BYTES) return REQUEST_4_BYTES + 1
  const named = bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] !== 0
  let zeros = 0
  for (let i = REQUEST_4_BYTES; i < length; i++) if (bytes[i] === 0) zeros++
  return zeros >= (named ? 2 : 1) ? length : length + 1
}

/** Whether what has arrived of a message may lead to a connection. */
function isValid({ expected, bytes, length }: Side): boolean {
  switch (expected) {
    case REQUEST:
    case REQUEST_4:
      return length < 2 || bytes[1] === COMMAND_CONNECT
    case CHOICE:
      return bytes[0] === SOCKS5 && (length < 2 || bytes[1] === METHOD_NONE || bytes[1] === METHOD_PASSWORD)
    case VERDICT:
      return length < 2 || bytes[1] === 0
    case REPLY:
      return bytes[0] === SOCKS5 && (length < 2 || bytes[1] === REPLY_SUCCEEDED)
    case REPLY_4:
      return bytes[0] === 0 && (length < 2 || bytes[1] === REPLY_GRANTED_4)
    default:
      return true
  }
}
