/**
 * The parse stage on one core: a capture's bytes in memory → window → frames → reassembly → HTTP → pairs, encoded and
 * discarded. Everything that the thread of `read` does, without its system calls: the bytes are copied to the window, as the kernel does.
 * Live capture is the same with a ring in place of the window's frames.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { Assembler, assemblerMemory } from '../src/assemble/assembler.ts'
import type { AssemblerOptions } from '../src/assemble/assembler-options.ts'
import type { ProgramMemory } from '../src/assemble/host/memory.ts'
import { PlaceSource, type RecordSource, RingSource } from '../src/assemble/record-source.ts'
import { FileReader } from '../src/capture/files/file-reader.ts'
import { memoryOf, ownMemory, type WindowMemory } from '../src/capture/files/window.ts'
import { Intake, type IntakeOptions } from '../src/capture/intake/intake.ts'
import { loadPlainFrames, PlainFrames } from '../src/capture/intake/plain-frames.ts'
import { defaultConfig } from '../src/config/load.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS } from '../src/ledger/counters.ts'
import { allocateRing, RingConsumer, RingProducer } from '../src/ring/byte-ring.ts'
import { Doorbell } from '../src/ring/doorbell.ts'
import { FramePlace, PlaceEnd } from '../src/ring/frame-place.ts'
import { LENGTH_AT, PAIR_FIELDS_BYTES, PAIR_LENGTH_AT } from '../src/ring/layout.ts'
import type { OpaqueMarks } from '../src/ring/opaque-marks.ts'
import { Control } from '../src/thread/control.ts'

const RING_BYTES = 4 * 1024 * 1024
/** A read of a ring's block or of a file. */
const STEP_BYTES = 512 * 1024

const CONFIG = defaultConfig()
const OPTIONS: AssemblerOptions = {
  node: 'bench',
  filter: CONFIG.filter,
  everything: true,
  messageBytes: CONFIG.limits.messageBytes,
  pairBytes: CONFIG.limits.pairBytes,
  responseTimeoutMicros: CONFIG.limits.responseTimeout * 1000,
  incompleteResponses: false,
  idleTimeoutMicros: CONFIG.limits.idleTimeout * 1000,
  flows: CONFIG.limits.flows,
  keep: 'both',
  clusterNetworks: [],
  stateBytes: 256 * 1024 * 1024,
  poolBytes: 64 * 1024 * 1024,
}
/** Shared by all passes with as many connections, as a thread has a single one. */
const MEMORY = assemblerMemory(OPTIONS, true)
/** Compiled as early as the program of a run is: kept code is accepted only while V8's flags are unchanged. */
const PLAIN_FRAMES = loadPlainFrames()

/** The result of one pass. */
export interface ParsePass {
  pairs: number
  frames: number
  /** Wall time. */
  ms: number
  /** CPU time of the process, its compiler and garbage collector included. */
  cpuMs: number
  encodedBytes: number
  /** The assembler's part of `cpuMs`: as large as that of `ms`, because each reading of CPU time costs more than a frame. */
  assemblerCpuMs: number
  /** Likewise the part of the calls that read a file. */
  readCpuMs: number
}

/** Receives a finished pair, `length` bytes of MessagePack from `at` on, which are overwritten afterwards. */
type OnPair = (bytes: Uint8Array, at: number, length: number) => void

/** How frames pass from the intake to the assembler, and where a file's bytes are read to. */
interface FrameInput {
  readonly source: RecordSource
  readonly intake: Pick<IntakeOptions, 'rings' | 'place' | 'plain' | 'marks'>
  readonly window: WindowMemory
}

/** One pass over the capture, with new rings and tables. @param onPair receives the pairs, if given */
export function parsePass(file: Uint8Array, onPair: OnPair | null = null): ParsePass {
  const stage = new ParseStage({}, onPair)
  stage.push(file)
  return stage.end()
}

/** The parse stage, with new rings and tables: bytes of a capture in, counts out. */
export class ParseStage {
  readonly #bell = new Doorbell(Doorbell.allocate())
  readonly #captureCounts = allocateCounters(CAPTURE_COUNTERS)
  readonly #counts = allocateCounters(ASSEMBLE_COUNTERS)
  readonly #source: RecordSource
  readonly #assembler: Assembler
  readonly #intake: Intake
  readonly #reader: FileReader
  #encodedBytes = 0
  /** When the counts began to count, and what was used and counted then. */
  #before = { pairs: 0, frames: 0, encodedBytes: 0 }
  #ms = 0
  #cpuMs = 0
  #assemblerMs = 0
  #readMs = 0

  /**
   * @param options that differ from the defaults; @param onPair receives the pairs, if given
   * @param marks as live capture has them, whose frames go through a ring; null: frames of files, in place
   */
  constructor(options: Partial<AssemblerOptions> = {}, onPair: OnPair | null = null, marks: OpaqueMarks | null = null) {
    const all = { ...OPTIONS, ...options }
    const memory = all.flows === OPTIONS.flows ? MEMORY : assemblerMemory(all, true)
    const input = marks === null ? this.#inPlace(memory) : this.#throughRing(memory, marks)
    this.#source = input.source
    this.#assembler = new Assembler(memory, all, this.#counts, {
      emit: (start, end) => {
        for (let record = start; record < end; record += memory.view.getInt32(record + LENGTH_AT, true)) {
          const length = memory.view.getInt32(record + PAIR_LENGTH_AT, true)
          this.#encodedBytes += length
          onPair?.(memory.bytes, record + PAIR_FIELDS_BYTES, length)
        }
        return end
      },
    })
    const intake = new Intake({
      ...input.intake,
      counters: this.#captureCounts,
      whenFull: 'wait',
      bell: this.#bell,
      control: new Control(Control.allocate()),
    })
    this.#intake = intake
    this.#reader = new FileReader(
      {
        sink: intake,
        interfaceId: (name) => {
          if (this.#captureCounts[CAPTURE_COUNTERS.index.seen] === 0) {
            intake.addInterface(0, {
              name: name ?? 'bench',
              vantage: 'file',
              mesh: null,
              domain: 0,
              vantagePoint: null,
            })
          }
          return 0
        },
        damage: () => true,
      },
      input.window,
    )
  }

  /** Reads the next bytes of the capture, to their last frame. */
  push(bytes: Uint8Array): void {
    this.#measured(() => {
      for (let at = 0; at < bytes.length; at += STEP_BYTES) {
        this.#reader.push(bytes.subarray(at, Math.min(at + STEP_BYTES, bytes.length)))
        this.#intake.flush()
        this.#drain()
      }
    })
  }

  /** Reads a capture file with system calls, as `read` does, to its last frame. */
  read(path: string): void {
    const { window } = this.#reader
    const fd = openSync(path, 'r')
    this.#measured(() => {
      for (;;) {
        const room = window.prepare()
        const start = performance.now()
        const count = readSync(fd, window.bytes, window.end, room, null)
        this.#readMs += performance.now() - start
        if (count === 0) return
        window.filled(count)
        this.#reader.advance()
        this.#intake.flush()
        this.#drain()
      }
    })
    closeSync(fd)
  }

  /** Ends the capture. */
  end(): ParsePass {
    this.#measured(() => {
      this.#reader.end()
      this.#intake.finish()
      this.#drain()
      this.#assembler.finish()
    })
    return this.counted
  }

  /** What was counted since the start, or since `restart`. */
  get counted(): ParsePass {
    const { pairs, frames, encodedBytes } = this.#before
    return {
      pairs: this.#counts[ASSEMBLE_COUNTERS.index.pairsAssembled] - pairs,
      frames: this.#captureCounts[CAPTURE_COUNTERS.index.queued] - frames,
      encodedBytes: this.#encodedBytes - encodedBytes,
      ms: this.#ms,
      cpuMs: this.#cpuMs,
      assemblerCpuMs: this.#cpuOf(this.#assemblerMs),
      readCpuMs: this.#cpuOf(this.#readMs),
    }
  }

  /** Counts from here on. */
  restart(): void {
    const { pairs, frames, encodedBytes } = this.counted
    this.#before.pairs += pairs
    this.#before.frames += frames
    this.#before.encodedBytes += encodedBytes
    this.#ms = 0
    this.#cpuMs = 0
    this.#assemblerMs = 0
    this.#readMs = 0
  }

  /** CPU time of a part of the wall time. */
  #cpuOf(ms: number): number {
    return this.#ms === 0 ? 0 : this.#cpuMs * (ms / this.#ms)
  }

  #inPlace({ memory, place: range }: ProgramMemory): FrameInput {
    const end = new PlaceEnd(PlaceEnd.allocate(), this.#bell)
    const place = new FramePlace(memory.buffer, range!, end, () => this.#drain())
    const plain = new PlainFrames(PLAIN_FRAMES, memory, place)
    return { source: new PlaceSource(place), intake: { rings: [], place, plain }, window: memoryOf(place) }
  }

  #throughRing(memory: ProgramMemory, marks: OpaqueMarks): FrameInput {
    const ring = allocateRing(RING_BYTES)
    const source = new RingSource(new RingConsumer(ring, null), memory, marks)
    return { source, intake: { rings: [new RingProducer(ring, this.#bell)], marks: [marks] }, window: ownMemory() }
  }

  #measured(work: () => void): void {
    const start = process.hrtime.bigint()
    const before = process.cpuUsage()
    work()
    this.#ms += Number(process.hrtime.bigint() - start) / 1e6
    this.#cpuMs += cpuMsSince(before)
  }

  #drain(): void {
    const start = performance.now()
    const assembler = this.#assembler
    const source = this.#source
    for (;;) {
      const length = source.next(assembler)
      if (length === 0) break
      const { at } = source
      source.release(length)
      assembler.consume(at, length, source.marks)
    }
    this.#assemblerMs += performance.now() - start
  }
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
