/**
 * Adds to the `capture` map of a pair the addresses that proxies in front of the connection have named: `forwarded`, where the
 * request came through a mesh's proxy, and `proxyProtocol`.
 */
import { ForwardedWriter } from '../encode/forwarded.ts'
import { key } from '../encode/templates.ts'
import { TextReader } from '../encode/text-reader.ts'
import type { ProgramMemory } from './memory.ts'
import { CAPTURE, METHOD_BYTES, NO_FLAGS, TARGET_BYTES, VERSION_BYTES } from './parts.ts'
import type { Address } from './program.ts'

const FORWARDED = key('forwarded')
const PROXY_PROTOCOL = key('proxyProtocol')

export class CaptureExtras {
  readonly #bytes: Uint8Array
  readonly #text: TextReader
  readonly #forwarded: ForwardedWriter

  constructor(memory: ProgramMemory) {
    this.#bytes = memory.bytes
    this.#text = new TextReader(memory)
    this.#forwarded = new ForwardedWriter(memory)
  }

  /**
   * Inserts `forwarded` between the map and the flags, if the request has such fields.
   *
   * @param map, end the map with the header of the flags behind it
   * @param request address of the encoded request
   * @returns the address after the header
   */
  addForwarded(map: Address, end: Address, request: Address): Address {
    const value = end - NO_FLAGS.length + FORWARDED.length
    const after = this.#forwarded.write(value, this.#headers(request))
    return after === value ? end : this.#added(FORWARDED, map, value, after)
  }

  /** The address of the `headers` of an encoded request. */
  #headers(request: Address): Address {
    const target = this.#text.afterString(request + METHOD_BYTES) + TARGET_BYTES
    return this.#text.afterString(target) + VERSION_BYTES
  }

  /** Inserts the endpoints that a PROXY head names, at [from, to), likewise. */
  addProxied(map: Address, end: Address, from: Address, to: Address): Address {
    const value = end - NO_FLAGS.length + PROXY_PROTOCOL.length
    this.#bytes.copyWithin(value, from, to)
    return this.#added(PROXY_PROTOCOL, map, value, value + to - from)
  }

  /**
   * Adds a value that is written at [value, after): writes its key, counts it in the map's header, and writes the flags
   * behind it.
   */
  #added(name: Uint8Array, map: Address, value: Address, after: Address): Address {
    const bytes = this.#bytes
    bytes[map + CAPTURE.length]++
    bytes.set(name, value - name.length)
    bytes.set(NO_FLAGS, after)
    return after + NO_FLAGS.length
  }
}
