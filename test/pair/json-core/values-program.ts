/** The values of the transcoder alone (src/pair/json-core/values.ts). */
import { readFileSync } from 'node:fs'

/** The exports of programs/json-values.ts. */
interface Exports {
  provideRoom(length: number): number
  outputStart(): number
  outputEnd(): number
  scratchAt(): number
  begin(length: number, to: number): void
  isWhole(): number
  nil(): number
  boolean(): number
  integer(): number
  text(): number
  bytes(utf8: number, utf8Bytes: number, base64: number, base64Bytes: number): number
  arrayHeader(): number
  mapHeader(): number
  isNext(lower: number, length: number): number
  put(from: number, length: number): number
  tokenOf(packed: number, packedBytes: number, json: number, jsonBytes: number): number
}

const MEMORY = { initial: 4, maximum: 1024 }
/** What a step of 16 bytes may read past the end. */
const SLACK = 16

/** Copies one document at a time: `start`, a call per value, then `finish`. */
export class JsonValues {
  readonly #memory = new WebAssembly.Memory(MEMORY)
  readonly #exports: Exports
  #scratch = 0

  constructor() {
    const module = new WebAssembly.Module(readFileSync(new URL('./values.wasm', import.meta.url)))
    this.#exports = new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports as unknown as Exports
  }

  start(packed: Uint8Array): void {
    const input = this.#exports.provideRoom(packed.length)
    Buffer.from(this.#memory.buffer).set(packed, input)
    this.#scratch = this.#exports.scratchAt()
    this.#exports.begin(packed.length, this.#exports.outputStart())
  }

  /** @returns the output; undefined if reading did not stop exactly at the input's end */
  finish(): Uint8Array | undefined {
    if (this.#exports.isWhole() === 0) return undefined
    return Buffer.from(this.#memory.buffer).subarray(this.#exports.outputStart(), this.#exports.outputEnd())
  }

  put(text: Uint8Array): boolean {
    return this.#exports.put(this.#place(text), text.length) !== 0
  }

  token(packed: Uint8Array, json: string): boolean {
    return this.#exports.tokenOf(this.#place(packed), packed.length, this.#place(Buffer.from(json)), json.length) !== 0
  }

  nil(): boolean {
    return this.#exports.nil() !== 0
  }

  boolean(): boolean {
    return this.#exports.boolean() !== 0
  }

  integer(): boolean {
    return this.#exports.integer() !== 0
  }

  text(): boolean {
    return this.#exports.text() !== 0
  }

  bytes(utf8: Uint8Array, base64: Uint8Array): boolean {
    return this.#exports.bytes(this.#place(utf8), utf8.length, this.#place(base64), base64.length) !== 0
  }

  arrayHeader(): number {
    return this.#exports.arrayHeader()
  }

  mapHeader(): number {
    return this.#exports.mapHeader()
  }

  isNext(lower: Uint8Array): boolean {
    return this.#exports.isNext(this.#place(lower), lower.length) !== 0
  }

  /** Writes what a call refers to. @returns its address */
  #place(bytes: Uint8Array): number {
    const at = this.#scratch
    Buffer.from(this.#memory.buffer).set(bytes, at)
    this.#scratch = at + bytes.length + SLACK
    return at
  }
}
