/** Repeated restarts of threads of every role leave no resources behind in the process. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { needs } from '../../../rig/needs.ts'
import { releaseStartMemory } from '../../../src/sys/release-memory.ts'
import { descriptors, namespaces, TargetRig, targetOf } from '../../support/target-rig.ts'

/** Threads of the pipeline: a capture worker, an assembler, the shipper. */
const THREADS = 3
/**
 * Rounds in which every thread ends: before the first measurement, while code is compiled and heaps grow, and after the
 * measurement.
 */
const [FIRST, MORE] = [6, 10]
/** A thread that was ready for a second is restarted after the shortest delay. */
const HEALTHY_MS = 1_050
/** V8 and the kernel release the memory of an ended thread a little later. */
const SETTLE_MS = 500
const KIB = 1024
/** Largest average growth per restart: several times the growth on a loaded machine without a leak. */
const MOST = { heapKib: 60, residentKib: 400, mappings: 4 } as const

interface Use {
  heapKib: number
  residentKib: number
  descriptors: number
  mappings: number
}

function use(): Use {
  releaseStartMemory()
  const { heapUsed, heapTotal, rss } = process.memoryUsage()
  return {
    heapKib: heapUsed / KIB,
    // Exclude free pages of the main thread's heap, which V8 keeps for later use.
    residentKib: (rss - heapTotal + heapUsed) / KIB,
    descriptors: descriptors(),
    mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length,
  }
}

/** Tracks the threads of this process. */
function followThreads(t: TestContext): Set<Worker> {
  const alive = new Set<Worker>()
  const note = (worker: Worker): void => {
    alive.add(worker)
    worker.once('exit', () => alive.delete(worker))
  }
  process.on('worker', note)
  t.after(() => process.off('worker', note))
  return alive
}

test('restarts: repeated ends of threads leave no memory or descriptors behind', {
  skip: needs('root', 'ip'),
}, async (t) => {
  const alive = followThreads(t)
  const rig = new TargetRig(t)
  const [pod] = namespaces(t, 1)
  await rig.add(targetOf(pod))
  const areReady = (restarts: number): boolean => {
    const threads = rig.pipeline.observe().threads.filter(({ role }) => role !== 'main')
    return threads.length === THREADS && threads.every((one) => one.state === 'ready' && one.restarts === restarts)
  }
  let rounds = 0
  const restartAll = async (howOften: number): Promise<Use> => {
    for (const end = rounds + howOften; rounds < end; ) {
      await sleep(HEALTHY_MS)
      assert.equal(alive.size, THREADS)
      for (const worker of alive) void worker.terminate()
      rounds += 1
      await rig.until(() => areReady(rounds), `round ${rounds}`)
    }
    await sleep(SETTLE_MS)
    return use()
  }
  const before = await restartAll(FIRST)
  const after = await restartAll(MORE)
  const restarts = MORE * THREADS
  for (const of of ['heapKib', 'residentKib', 'mappings'] as const) {
    const each = (after[of] - before[of]) / restarts
    t.diagnostic(`${of} of each restart: ${each.toFixed(1)}`)
    assert.ok(each < MOST[of], `${of} of each restart: ${each}`)
  }
  assert.equal(after.descriptors, before.descriptors)
  await rig.end()
})
