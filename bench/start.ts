/**
 * The cost of a start: CPU and wall time of short runs, compared with Node.js alone and tshark, and the time until
 * `capture` has bound its socket. The least of several rounds, in which the contenders alternate.
 */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { Namespace } from '../rig/netns.ts'
import { programOf } from '../rig/node-processes.ts'
import { killAtExit } from '../rig/process-tree.ts'
import { PROGRAM, ROOT } from '../rig/root.ts'
import { ratiosOf } from './baseline.ts'
import { type CommandLine, cpuMs, runProgram } from './measure.ts'
import { inPath } from './programs.ts'
import { type Section, whole } from './report.ts'

/** CPU times are read in steps of 10 ms, and one run of few is undisturbed. */
const MIN_ROUNDS = 5
const CAPTURE_ROUNDS = 3
/** By then `capture` is idle. */
const CAPTURE_MS = 2500
const REFERENCES = /^(?:Node|tshark)/

interface Start {
  what: string
  cpuMs: number
  /** From `exec` to the end, or until the socket is bound. */
  wallMs: number
}

export async function measureStart(rounds: number): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-bench-'))
  try {
    const file = join(folder, 'shop.pcap')
    writeFileSync(file, gunzipSync(readFileSync(join(ROOT, 'examples', 'shop.pcap.gz'))))
    const starts = await shortRuns(file, Math.max(MIN_ROUNDS, rounds))
    if (inPath('ip') && process.getuid?.() === 0) starts.push(await captureStart())
    const walls = Object.fromEntries(starts.map(({ what, wallMs }) => [what.replaceAll('`', ''), wallMs]))
    return {
      title: 'Start: the least of several rounds',
      columns: ['', 'CPU ms', 'wall ms'],
      rows: starts.map(({ what, cpuMs: cpu, wallMs }) => [what, whole(cpu), whole(wallMs)]),
      notes: [`capture: CPU of its first ${CAPTURE_MS / 1000} s, wall time until its socket is bound; as root only`],
      data: { starts },
      ratios: ratiosOf('start', walls, REFERENCES),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function shortRuns(file: string, rounds: number): Promise<Start[]> {
  const node = process.execPath
  const contenders: [string, CommandLine][] = [
    ['Node.js alone', [node, '-e', '0']],
    ['`--version`', [node, PROGRAM, '--version']],
    ['`read` of 62 KB, 51 pairs', [node, PROGRAM, 'read', '-q', file]],
  ]
  if (inPath('tshark')) contenders.push(['tshark -Y http of it', ['tshark', '-r', file, '-Y', 'http']])
  const starts = contenders.map(([what]): Start => ({ what, cpuMs: Infinity, wallMs: Infinity }))
  for (let round = 0; round < rounds; round++) {
    for (const [i, [, command]] of contenders.entries()) {
      const cost = await runProgram(command, { output: 'discard' })
      starts[i].cpuMs = Math.min(starts[i].cpuMs, cost.cpuMs)
      starts[i].wallMs = Math.min(starts[i].wallMs, cost.wallMs)
    }
  }
  return starts
}

async function captureStart(): Promise<Start> {
  const start: Start = { what: '`capture` of one interface', cpuMs: Infinity, wallMs: Infinity }
  const namespace = Namespace.create()
  try {
    for (let round = 0; round < CAPTURE_ROUNDS; round++) {
      const startMs = performance.now()
      const child = namespace.spawn(process.execPath, PROGRAM, 'capture', '-i', 'lo', '-o', 'none')
      killAtExit(child)
      child.stdout?.resume()
      const ended = once(child, 'close')
      // Its first line reports that it captures.
      await once(child.stderr!, 'data')
      start.wallMs = Math.min(start.wallMs, performance.now() - startMs)
      child.stderr?.resume()
      await sleep(CAPTURE_MS - (performance.now() - startMs))
      const pid = programOf(child.pid!)
      start.cpuMs = Math.min(start.cpuMs, cpuMs(pid))
      process.kill(pid, 'SIGTERM')
      await ended
    }
  } finally {
    namespace.delete()
  }
  return start
}
