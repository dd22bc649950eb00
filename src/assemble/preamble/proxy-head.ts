/**
 * The head of the PROXY protocol, in which a load balancer in front of a server names the client: version 1, a line of text,
 * and version 2, binary (haproxy's doc/proxy-protocol.txt, §2.1 and §2.2). Only the client's first bytes can be one.
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { fixmap, key, template, uint } from '../encode/templates.ts'
import { CR, LF } from '../http1/text.ts'
import { PREAMBLE_DONE, PREAMBLE_INVALID, PREAMBLE_NONE, PREAMBLE_OPEN, type Preamble } from './preamble.ts'

/** What version 1 begins with. Methods of HTTP begin with up to three of these bytes. */
export const PROXY_V1 = new TextEncoder().encode('PROXY ')
const V1 = /^PROXY (?:(TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5})|UNKNOWN(?: .*)?)\r\n$/
/** Longest line of version 1, with its CR LF (§2.1). */
const V1_BYTES = 107

/** Signature of version 2. HTTP ignores its first four bytes, two empty lines, in front of a request. */
const V2 = Uint8Array.of(CR, LF, CR, LF, 0, CR, LF, 0x51, 0x55, 0x49, 0x54, LF)
const V2_EMPTY_LINES = 4
/** Signature, version and command, address family, and the length of what follows. */
const V2_FIXED_BYTES = 16
const LOCAL = 0x20
const PROXY = 0x21
/** Address families with the transport STREAM, and the bytes of both addresses and ports. */
const TCP_OVER_IPV4 = 0x11
const TCP_OVER_IPV6 = 0x21
const IPV4_BYTES = 12
const IPV6_BYTES = 36

/** Longest MessagePack of `ProxyHead.endpoints`. */
export const ENDPOINTS_BYTES = 192
const LARGEST_PORT = 65_535
/** Saved in front of the bytes kept: `seq`, `ack`, the length, `micros`. */
const SAVED_BYTES = 20

/** Parses one head. Reusable after `reset`. */
export class ProxyHead implements Preamble {
  state = PREAMBLE_OPEN
  /** MessagePack of `{source: {address, port}, destination: {address, port}}`; null if the head names none. */
  endpoints: Uint8Array | null = null
  /** Where and when the first byte was captured, for the case that the bytes are no head. */
  seq = 0
  ack = 0
  micros = 0
  /** How many bytes of `PROXY_V1` earlier calls have consumed. If the bytes are no head, they belong to a request. */
  withheld = 0
  /** Bytes consumed. Of the additional fields of version 2 only the length matters. */
  #length = 0
  readonly #kept = new Uint8Array(V1_BYTES)

  reset(): void {
    this.state = PREAMBLE_OPEN
    this.endpoints = null
    this.withheld = 0
    this.#length = 0
  }

  data(bytes: Uint8Array, at: number, end: number, fromClient: boolean): number {
    if (!fromClient) {
      this.state = PREAMBLE_INVALID
      return at
    }
    this.withheld = this.#length
    let p = at
    while (p < end && this.state === PREAMBLE_OPEN) {
      const c = bytes[p]
      if (this.#length < V1_BYTES) this.#kept[this.#length] = c
      const expected = this.#kept[0] === CR ? V2 : PROXY_V1
      if (this.#length < expected.length && c !== expected[this.#length]) {
        const isV2 = expected === V2
        this.state = isV2 && this.#length > V2_EMPTY_LINES ? PREAMBLE_INVALID : PREAMBLE_NONE
        if (isV2) this.withheld = 0
        return p
      }
      p++
      this.#length++
      if (expected === V2) this.#version2()
      else this.#version1(c)
    }
    return p
  }

  get savedBytes(): number {
    return SAVED_BYTES + this.#keptBytes
  }

  save(view: DataView, at: number): void {
    view.setInt32(at, this.seq)
    view.setInt32(at + 4, this.ack)
    view.setUint32(at + 8, this.#length)
    view.setFloat64(at + 12, this.micros)
    for (let i = 0; i < this.#keptBytes; i++) view.setUint8(at + SAVED_BYTES + i, this.#kept[i])
  }

  load(view: DataView, at: number): void {
    this.reset()
    this.seq = view.getInt32(at)
    this.ack = view.getInt32(at + 4)
    this.#length = view.getUint32(at + 8)
    this.micros = view.getFloat64(at + 12)
    for (let i = 0; i < this.#keptBytes; i++) this.#kept[i] = view.getUint8(at + SAVED_BYTES + i)
  }

  get #keptBytes(): number {
    return Math.min(this.#length, V1_BYTES)
  }

  #version1(last: number): void {
    if (last !== LF) {
      if (this.#length === V1_BYTES) this.state = PREAMBLE_INVALID
      return
    }
    const line = String.fromCharCode(...this.#kept.subarray(0, this.#length))
    const [found, family, source = '', destination = '', sourcePort, destinationPort] = V1.exec(line) ?? []
    if (found === undefined) {
      this.state = PREAMBLE_INVALID
      return
    }
    this.state = PREAMBLE_DONE
    if (family === undefined) return
    const isAddress = family === 'TCP4' ? isIPv4 : isIPv6
    const ports = [Number(sourcePort), Number(destinationPort)] as const
    if (isAddress(source) && isAddress(destination) && Math.max(...ports) <= LARGEST_PORT) {
      this.endpoints = encode(canonical(source), ports[0], canonical(destination), ports[1])
    } else this.state = PREAMBLE_INVALID
  }

  #version2(): void {
    if (this.#length < V2_FIXED_BYTES) return
    const kept = this.#kept
    const view = new DataView(kept.buffer)
    const command = kept[V2.length]
    const length = view.getUint16(V2_FIXED_BYTES - 2)
    const family = kept[V2.length + 1]
    const addressBytes = family === TCP_OVER_IPV4 ? IPV4_BYTES : family === TCP_OVER_IPV6 ? IPV6_BYTES : 0
    if ((command !== LOCAL && command !== PROXY) || (command === PROXY && length < addressBytes)) {
      this.state = PREAMBLE_INVALID
      return
    }
    if (this.#length < V2_FIXED_BYTES + length) return
    this.state = PREAMBLE_DONE
    if (command === LOCAL || addressBytes === 0) return
    const half = (addressBytes - 4) / 2
    const ports = V2_FIXED_BYTES + 2 * half
    this.endpoints = encode(
      binaryAddress(kept.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + half)),
      view.getUint16(ports),
      binaryAddress(kept.subarray(V2_FIXED_BYTES + half, ports)),
      view.getUint16(ports + 2),
    )
  }
}

/** The text of RFC 5952 of an IPv6 address; an IPv4 address as it is. */
const canonical = (address: string): string =>
  isIPv4(address) ? address : new SocketAddress({ address, family: 'ipv6' }).address

function binaryAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const digits = Buffer.from(bytes).toString('hex')
  return canonical(digits.replace(/.{4}(?!$)/g, '$&:'))
}

const encode = (source: string, sourcePort: number, destination: string, destinationPort: number): Uint8Array =>
  template(fixmap(2), endpoint('source', source, sourcePort), endpoint('destination', destination, destinationPort))

const endpoint = (name: string, address: string, port: number): Uint8Array =>
  template(key(name), fixmap(2), key('address'), key(address), key('port'), uint(port, 2))
