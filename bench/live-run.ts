/** `interceptor capture` running on one end of a veth pair, as a user would start it. */
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROGRAM } from '../rig/root.ts'
import { cpuMs, outputOf, residentMiB } from './measure.ts'
import type { Trace } from './traces.ts'
import type { VethPair } from './veth.ts'

const START_MS = 10_000
const LOOK_MS = 20
/** From the socket's opening until the workers run. */
const WARM_UP_MS = 1000
/** Less CPU than this in this time, and the program has nothing left to do. */
const IDLE_LOOK_MS = 250
const IDLE_MS = 30
/** From the first frame until V8 has compiled what runs often (bench/findings.md). */
const WARM_MS = 20_000
const SAMPLE_MS = 250

export class LiveRun {
  readonly #child: ChildProcess
  readonly pid: number
  readonly #ended: Promise<string>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.pid = child.pid!
    this.#ended = outputOf(child, 'interceptor')
  }

  /** Starts capturing and waits until it does. @param args added to the command line @param output its options */
  static start(veth: VethPair, args: readonly string[], output: readonly string[] = ['-o', 'none']): Promise<LiveRun> {
    return LiveRun.startProgram(veth, [PROGRAM, 'capture', '-i', 'eth0', '--all', '-q', ...output, ...args])
  }

  /** The same with another program. @param commandLine of Node.js */
  static async startProgram(
    veth: VethPair,
    commandLine: readonly string[],
    warmUpMs: number = WARM_UP_MS,
  ): Promise<LiveRun> {
    const run = new LiveRun(veth.receiver.spawn(process.execPath, ...commandLine))
    const end = Date.now() + START_MS
    while (!run.#hasSocket() && Date.now() < end) await Promise.race([sleep(LOOK_MS), run.#ended])
    await sleep(warmUpMs)
    return run
  }

  /** User and system time so far. Milliseconds. */
  get cpuMs(): number {
    return cpuMs(this.pid)
  }

  /** Resident now, MiB. */
  get rssMiB(): number {
    return residentMiB(this.pid)
  }

  /** Waits until it has processed all frames, and is idle. */
  async settle(): Promise<void> {
    for (let before = -Infinity; this.cpuMs - before > IDLE_MS; ) {
      before = this.cpuMs
      await sleep(IDLE_LOOK_MS)
    }
  }

  /** Ends it as Ctrl-C does. */
  async stop(): Promise<void> {
    this.#child.kill('SIGINT')
    await this.#ended
  }

  /** /proc/net/packet lists the packet sockets of the namespace, one a line under a heading. */
  #hasSocket(): boolean {
    const path = `/proc/${this.pid}/net/packet`
    return existsSync(path) && readFileSync(path, 'utf8').trim().includes('\n')
  }
}

/** CPU time of the program at a moment. Milliseconds. */
interface CpuSample {
  atMs: number
  cpuMs: number
}

/** The result of one replay. */
export interface LiveSample {
  offeredFrames: number
  framesPerSecond: number
  kernelDropped: number
  ringDropped: number
  pairs: number
  /** From the first frame until the program is idle again. */
  cpuMicrosPerPair: number
  /** From WARM_MS after the first frame until the last one; null: it took no longer. */
  warmCpuMicrosPerPair: number | null
  rssMiB: number
}

/**
 * Captures while a trace is sent once.
 *
 * @param speed of tcpreplay @param args added to the command line @param output its options
 */
export async function replayLive(
  veth: VethPair,
  trace: Trace,
  speed: readonly string[],
  args: readonly string[],
  output?: readonly string[],
): Promise<LiveSample> {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-bench-'))
  try {
    const summary = join(folder, 'summary.json')
    const run = await LiveRun.start(veth, [...args, '--summary', summary], output)
    const cpuBefore = run.cpuMs
    const samples: CpuSample[] = []
    const sampling = setInterval(() => samples.push({ atMs: performance.now(), cpuMs: run.cpuMs }), SAMPLE_MS)
    const sent = await veth.replay([...speed, '--preload-pcap', trace.path]).finally(() => clearInterval(sampling))
    await run.settle()
    const cpu = run.cpuMs - cpuBefore
    const { rssMiB } = run
    await run.stop()
    const { frames, pairs } = JSON.parse(readFileSync(summary, 'utf8')) as {
      frames: { kernelDropped: number; dropped: { ring: number } }
      pairs: { shipped: number }
    }
    return {
      offeredFrames: sent.frames,
      framesPerSecond: sent.frames / sent.seconds,
      kernelDropped: frames.kernelDropped,
      ringDropped: frames.dropped.ring,
      pairs: pairs.shipped,
      cpuMicrosPerPair: (cpu * 1000) / pairs.shipped,
      warmCpuMicrosPerPair: warmMicros(samples, sent.seconds, pairs.shipped / sent.seconds),
      rssMiB,
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** @param samples until the last frame @param seconds from the first to the last one */
function warmMicros(samples: readonly CpuSample[], seconds: number, pairsPerSecond: number): number | null {
  const last = samples.at(-1)
  if (last === undefined) return null
  const warm = samples.find(({ atMs }) => atMs >= last.atMs - seconds * 1000 + WARM_MS)
  if (warm === undefined || warm === last) return null
  return ((last.cpuMs - warm.cpuMs) * 1e6) / ((last.atMs - warm.atMs) * pairsPerSecond)
}
