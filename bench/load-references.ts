/** What other programs lose of the same traffic, to compare with: tcpdump that discards it, and tcpdump into the Go program. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { outputOf } from './measure.ts'
import { inPath } from './programs.ts'
import type { Replayed, VethPair } from './veth.ts'

const LOOK_MS = 50
/** The ring of Interceptor's default (`capture.ringBytes`), in KiB. */
const RING_KIB = '8192'
/** The Go program has read what tcpdump has written by then, or is not worth waiting for. */
const READ_MS = 30_000

/** @returns the share of frames that tcpdump's kernel ring drops when it writes them to nowhere; null: it is not installed */
export async function tcpdumpDrops(veth: VethPair, replay: readonly string[]): Promise<number | null> {
  if (!inPath('tcpdump')) return null
  const child = startTcpdump(veth, '-w', '/dev/null')
  const stderr = await untilListening(child)
  const ended = outputOf(child, 'tcpdump')
  const sent: Replayed = await veth.replay(replay)
  child.kill('SIGINT')
  await ended
  const [, dropped = '0'] = /(\d+) packets dropped by kernel/.exec(stderr()) ?? []
  return Number(dropped) / sent.frames
}

/**
 * The Go program parses messages of what tcpdump captures, and neither pairs nor writes them.
 *
 * @param peer its path; null: it could not be built
 * @param pairsPerFrame of the trace; @param folder for a pipe between the two
 * @returns the share of responses that it finds; null: not measured
 */
export async function goCoverage(
  veth: VethPair,
  replay: readonly string[],
  peer: string | null,
  pairsPerFrame: number,
  folder: string,
): Promise<number | null> {
  if (peer === null || !inPath('tcpdump')) return null
  const pipe = join(folder, 'frames')
  execFileSync('mkfifo', [pipe])
  const tcpdump = startTcpdump(veth, '-B', RING_KIB, '-Z', 'root', '-w', pipe)
  const go = spawn(peer, [pipe, 'http'])
  const found = outputOf(go, 'the Go program')
  await untilListening(tcpdump)
  const sent = await veth.replay(replay)
  tcpdump.kill('SIGINT')
  const killing = setTimeout(() => go.kill('SIGKILL'), READ_MS)
  const [, responses] = / res (\d+) /.exec(await found) ?? []
  clearTimeout(killing)
  return Number(responses) / (sent.frames * pairsPerFrame)
}

const startTcpdump = (veth: VethPair, ...args: string[]): ChildProcess =>
  veth.receiver.spawn('tcpdump', '-i', 'eth0', '-n', ...args)

/** @returns what it has written to standard error by the time of a call */
async function untilListening(child: ChildProcess): Promise<() => string> {
  const chunks: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk))
  const text = (): string => Buffer.concat(chunks).toString()
  while (!text().includes('listening on')) {
    if (child.exitCode !== null) throw new Error(`tcpdump ended with ${child.exitCode}: ${text().trim()}`)
    await sleep(LOOK_MS)
  }
  return text
}
