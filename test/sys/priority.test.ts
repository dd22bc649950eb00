import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { ROOT } from '../../rig/root.ts'
import { mayRaise } from '../../src/sys/priority.ts'

const skip = needs('linux')

interface ThreadPriority {
  nice: number
  policy: number
  io: string
}

/** Priorities of a process, and of workers that it starts afterwards, once the priority has been lowered. */
interface Report {
  problems: string[]
  main: ThreadPriority
  /** All other threads: those of Node.js, and the workers. */
  threads: ThreadPriority[]
  oom: number
}

/** Lowers the priority in a separate process, because it cannot be raised again. */
function lowered(priority: object, before = ''): Report {
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program(priority, before)], {
    encoding: 'utf8',
  })
  assert.equal(run.status, 0, run.stderr)
  return JSON.parse(run.stdout) as Report
}

const program = (priority: object, before: string): string => `
  import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
  import { spawnSync } from 'node:child_process'
  import { Worker } from 'node:worker_threads'
  import { lowerPriority } from '${join(ROOT, 'dist/src/sys/priority.js')}'
  ${before}
  const problems = lowerPriority(${JSON.stringify(priority)})
  const before = readdirSync('/proc/self/task').length
  for (let i = 0; i < 2; i += 1) {
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
    await new Promise((resolve) => worker.once('online', resolve))
  }
  const ids = readdirSync('/proc/self/task')
  if (ids.length < before + 2) throw new Error('the workers do not run')
  const look = (id) => {
    const fields = readFileSync('/proc/self/task/' + id + '/stat', 'latin1').split(') ')[1].split(' ')
    const io = spawnSync('ionice', ['-p', id], { encoding: 'utf8' }).stdout.trim()
    return { nice: Number(fields[16]), policy: Number(fields[38]), io }
  }
  const main = look(String(process.pid))
  const threads = ids.filter((id) => Number(id) !== process.pid).map(look)
  console.log(JSON.stringify({ problems, main, threads, oom: Number(readFileSync('/proc/self/oom_score_adj', 'latin1')) }))
  process.exit(0)
`

test('priority: a thread that starts while no file can be opened does not end the process', { skip }, () => {
  const script = `
    import { closeSync, openSync } from 'node:fs'
    import { lowerPriority } from '${join(ROOT, 'dist/src/sys/priority.js')}'
    lowerPriority(${JSON.stringify({ nice: 1, scheduler: 'batch', io: 'idle', oomScoreAdjust: 0 })})
    const held = []
    try {
      for (;;) held.push(openSync('/dev/null'))
    } catch {}
    process.emit('worker', null)
    for (const fd of held) closeSync(fd)
  `
  const under = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, '--input-type=module', '--eval', script]
  const { status, stderr } = spawnSync('sh', under, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})

test('priority: lowers every thread but the main one, and threads that start later', { skip }, () => {
  const { problems, main, threads, oom } = lowered({ nice: 7, scheduler: 'batch', io: 'idle', oomScoreAdjust: 400 })
  assert.deepEqual(problems, [])
  assert.ok(threads.length > 2)
  assert.deepEqual(
    [...new Set(threads.map((thread) => JSON.stringify(thread)))].map((text) => JSON.parse(text)),
    [{ nice: 7, policy: 3, io: 'idle' }],
  )
  assert.deepEqual(main, { nice: 0, policy: 0, io: 'idle' })
  assert.equal(oom, 400)
})

test('priority: sets the idle scheduling policy', { skip }, () => {
  const { main, threads } = lowered({ nice: 0, scheduler: 'idle', io: 'normal', oomScoreAdjust: 0 })
  assert.equal(main.policy, 0)
  assert.ok(threads.every(({ policy, nice, io }) => policy === 5 && nice === 0 && io !== 'idle'))
})

test('priority: changes nothing with every part disabled', { skip }, () => {
  const { problems, main, threads, oom } = lowered({ nice: 0, scheduler: 'normal', io: 'normal', oomScoreAdjust: 0 })
  assert.deepEqual([problems, oom], [[], 0])
  assert.ok([main, ...threads].every(({ policy, nice }) => policy === 0 && nice === 0))
})

test('priority: keeps the protection from the OOM killer', () => {
  assert.deepEqual(
    [-997, -1, 0, 500].map((current) => mayRaise(current, 500)),
    [false, false, true, false],
  )
})

test('priority: does not raise a lower priority', { skip }, () => {
  const yield_ = "writeFileSync('/proc/self/oom_score_adj', '800')"
  assert.equal(lowered({ nice: 0, scheduler: 'normal', io: 'normal', oomScoreAdjust: 500 }, yield_).oom, 800)
})
