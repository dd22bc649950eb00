/**
 * Describes the plain frames of files in place: a program in WebAssembly (plain-core/, AssemblyScript) walks over the
 * window, and leaves all other frames to the decoder. Thread: the one that assembles, too.
 */
import type { FramePlace } from '../../ring/frame-place.ts'
import { MICROS_AT, PLACED_BYTES } from '../../ring/layout.ts'
import { loadProgram } from '../../sys/kept-code.ts'
import type { PcapRecords } from '../frame-sink.ts'

/** The exports, which plain-core/ describes. */
interface Program {
  describe(
    at: number,
    end: number,
    record: number,
    limit: number,
    headerBytes: number,
    fractionsPerMicro: number,
    maxLength: number,
    interfaceId: number,
    secret: number,
  ): number
  stopped(): number
  truncated(): number
}

/** The program, compiled. @throws WebAssembly.CompileError where the processor cannot run it */
export const loadPlainFrames = (): WebAssembly.Module =>
  loadProgram(new URL('./plain-core.wasm', import.meta.url)).module

export class PlainFrames {
  readonly #place: FramePlace
  readonly #program: Program
  /** Of the last call that has described frames: where it ended, its last frame's time, and the frames cut by a snap length. */
  next = 0
  micros = 0
  truncated = 0

  /** @param memory that the place lies in */
  constructor(program: WebAssembly.Module, memory: WebAssembly.Memory, place: FramePlace) {
    const { exports } = new WebAssembly.Instance(program, { env: { memory } })
    this.#program = exports as unknown as Program
    this.#place = place
  }

  /** Whether bytes are those of the place. */
  holds(bytes: Uint8Array): boolean {
    return bytes === this.#place.bytes
  }

  /** Describes frames from the beginning of `records` on. @returns how many */
  describe({ at, end, shape, interfaceId }: PcapRecords, secret: number): number {
    const place = this.#place
    const record = place.claim(PLACED_BYTES)
    const { headerBytes, fractionsPerMicro, maxLength } = shape
    const frames = this.#program.describe(
      at,
      end,
      record,
      place.recordsEnd,
      headerBytes,
      fractionsPerMicro,
      maxLength,
      interfaceId,
      secret,
    )
    if (frames === 0) return 0
    place.commitWritten(frames * PLACED_BYTES)
    this.next = this.#program.stopped()
    this.truncated = this.#program.truncated()
    this.micros = place.doubles[(record + (frames - 1) * PLACED_BYTES + MICROS_AT) >> 3]
    return frames
  }
}
