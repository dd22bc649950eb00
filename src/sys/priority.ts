/**
 * Lowers the priority of this process: CPU scheduling and I/O class of its threads, and its protection from the OOM killer.
 * Lowering needs no privilege; the priority is never raised. Linux only.
 *
 * The main thread keeps its CPU scheduling: it does little, and answers probes. With a low one, other processes that use all
 * CPUs would let a probe fail, and the kubelet restart the agent.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { errorText } from '../errors.ts'
import { setIoPriority, setScheduler } from './libc.ts'

/** See `priority` in the configuration. */
export interface Priority {
  /** Added to the scheduling priority, 0 to 19; see nice(2). */
  readonly nice: number
  /** See sched(7). */
  readonly scheduler: 'normal' | 'batch' | 'idle'
  /** See ioprio_set(2). */
  readonly io: 'normal' | 'idle'
  /** 0 to 1000; see proc_pid_oom_score_adj(5). */
  readonly oomScoreAdjust: number
}

/** sched.h */
const SCHED_BATCH = 3
const SCHED_IDLE = 5
/** linux/ioprio.h: the class above 13 bits of data. */
const IOPRIO_CLASS_IDLE = 3 << 13

const OOM_SCORE_ADJUST = '/proc/self/oom_score_adj'

/**
 * Applies a priority to this process and its threads, and to each worker thread as the main thread starts it. To be called
 * once, in the main thread, before worker threads are started.
 *
 * @returns one line for each part that the system refused; empty when all were applied
 */
export function lowerPriority(priority: Priority): string[] {
  if (process.platform !== 'linux') return []
  // Emitted once the thread runs. What the system refuses then, it has refused before; without a free descriptor
  // nothing is lowered.
  process.on('worker', () => void attempt('threads', () => lowerThreads(priority)))
  const { oomScoreAdjust } = priority
  const refused = lowerThreads(priority)
  return oomScoreAdjust > 0 ? [...refused, ...attempt('oomScoreAdjust', () => raiseOomScore(oomScoreAdjust))] : refused
}

/** Lowers all current threads: those of Node.js, too, which run a part of the workers' work. */
function lowerThreads({ nice, scheduler, io }: Priority): string[] {
  const threads = readdirSync('/proc/self/task').map(Number)
  const others = threads.filter((thread) => thread !== process.pid)
  const policy = scheduler === 'idle' ? SCHED_IDLE : SCHED_BATCH
  const parts: readonly (readonly [string, boolean, () => void])[] = [
    ['nice', nice > 0, () => forEach(others, (thread) => setPriority(thread, nice))],
    ['scheduler', scheduler !== 'normal', () => forEach(others, (thread) => setScheduler(thread, policy))],
    ['io', io === 'idle', () => forEach(threads, (thread) => setIoPriority(thread, IOPRIO_CLASS_IDLE))],
  ]
  return parts.flatMap(([name, isWanted, apply]) => (isWanted ? attempt(name, apply) : []))
}

/** Applies it to each thread that has not ended meanwhile. */
function forEach(threads: readonly number[], apply: (thread: number) => void): void {
  for (const thread of threads) {
    try {
      apply(thread)
    } catch (error) {
      if (existsSync(`/proc/self/task/${thread}`)) throw error
    }
  }
}

function attempt(name: string, apply: () => void): string[] {
  try {
    apply()
    return []
  } catch (error) {
    return [`priority.${name}: ${errorText(error)}`]
  }
}

/** Keeps a negative score, which was set on purpose, by the kubelet for a critical pod. */
function raiseOomScore(score: number): void {
  const current = Number(readFileSync(OOM_SCORE_ADJUST, 'latin1'))
  if (mayRaise(current, score)) writeFileSync(OOM_SCORE_ADJUST, String(score))
}

/** Whether the current score is replaced by the wanted one. */
export const mayRaise = (current: number, wanted: number): boolean => current >= 0 && current < wanted
