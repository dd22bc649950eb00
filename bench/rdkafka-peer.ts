/** The producer in C beside which the shipper is measured: librdkafka with the same messages and settings (rdkafka-peer.c), built into .cache. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { temporaryFolder } from '../rig/at-exit.ts'
import { ROOT } from '../rig/root.ts'
import { defaultConfig } from '../src/config/load.ts'
import { CONNECTIONS, encodedPairs } from './encoded-pairs.ts'
import { type CommandLine, runProgram } from './measure.ts'
import { inPath } from './programs.ts'
import type { Missing } from './report.ts'

const SOURCE = join(ROOT, 'bench', 'rdkafka-peer.c')
const FOLDER = join(ROOT, '.cache', 'rdkafka-peer')
const PROGRAM = join(FOLDER, 'peer')
const WHAT = 'librdkafka beside the shipper'

/** Of the second of two passes, and what the first needs beside it. */
export interface PeerSample {
  wallMs: number
  shipCpuMs: number
  startCpuMs: number
  shipped: number
  shippedTwice: number
}

export class RdkafkaPeer {
  /** The messages of each trace, by its path. */
  readonly #files = new Map<string, string>()
  readonly #folder = temporaryFolder('rdkafka-peer-')

  private constructor() {}

  /** Compiles it. */
  static build(): RdkafkaPeer | Missing {
    if (!inPath('cc')) return { what: WHAT, why: 'install a C compiler' }
    if (!existsSync('/usr/include/librdkafka/rdkafka.h')) return { what: WHAT, why: 'install librdkafka-dev' }
    mkdirSync(FOLDER, { recursive: true })
    const run = spawnSync('cc', ['-O2', '-o', PROGRAM, SOURCE, '-lrdkafka'], { encoding: 'utf8' })
    if (run.status === 0) return new RdkafkaPeer()
    return { what: WHAT, why: `it cannot be built: ${run.error?.message ?? run.stderr.trim().split('\n').at(-1)}` }
  }

  /** Sends the pairs of a trace twice. */
  async ship(trace: string, brokers: string, topic: string): Promise<PeerSample> {
    const { batchBytes, linger } = defaultConfig().ship
    const file = this.#files.get(trace) ?? this.#write(trace)
    const settings = [batchBytes, linger, CONNECTIONS].map(String)
    const command: CommandLine = [PROGRAM, file, brokers, topic, ...settings]
    return JSON.parse((await runProgram(command)).stdout) as PeerSample
  }

  #write(trace: string): string {
    const { bytes, ends } = encodedPairs(trace)
    const parts = ends.flatMap((end, i) => {
      const pair = bytes.subarray(ends[i - 1] ?? 0, end)
      return [lengthOf(pair), pair]
    })
    const file = join(this.#folder, `messages-${this.#files.size}`)
    writeFileSync(file, Buffer.concat(parts))
    this.#files.set(trace, file)
    return file
  }
}

/** Four bytes in the host's order. */
function lengthOf({ length }: Buffer): Buffer {
  const bytes = Buffer.alloc(4)
  if (endianness() === 'LE') bytes.writeUInt32LE(length)
  else bytes.writeUInt32BE(length)
  return bytes
}
