/** Commands on a system that lacks resources print a message that suggests a remedy, and no stack trace. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { PROGRAM } from '../../rig/root.ts'
import { EXIT_DAMAGED, EXIT_PRIVILEGE, EXIT_RUNTIME } from '../../src/errors.ts'
import { finish, start, THOUSAND } from './support.ts'

/** Node.js itself needs about this many; with fewer it crashes. */
const LEAST = 15
/** More than any command needs, whatever limit this process has inherited. */
const MOST = 200
/** Below this, each limit is tried: one file more is loaded with each. */
const CLOSE = 26
const STEP = 3
/** Expected failures after everything has been opened: the empty input is damaged, and the agent lacks privileges. */
const WORKED: (number | null)[] = [EXIT_DAMAGED, EXIT_PRIVILEGE]

test('few file descriptors: commands report the limit until there are enough', { skip: needs('linux') }, async () => {
  const agent = ['agent', '--set', 'ship.sink=none', '--set', 'admin.address=127.0.0.1:0']
  for (const command of [['read', '-'], agent]) {
    const named: number[] = []
    for (let limit = LEAST; await lacksDescriptors(command, limit, named); limit += limit < CLOSE ? 1 : STEP) {
      assert.ok(limit < MOST, `${command[0]} does not work with ${limit} descriptors`)
    }
    assert.notEqual(named.length, 0, `${command[0]} has not named the limit`)
  }
})

/** Runs a command. @returns whether it, or Node.js before it, has failed. @param named receives the limit if it named it */
async function lacksDescriptors(command: readonly string[], limit: number, named: number[]): Promise<boolean> {
  const child = start(command, { under: ['sh', '-c', `ulimit -n ${limit}; exec "$@"`, 'sh'] })
  child.stdin?.end()
  const ready = killOnceReady(child)
  const { code, signal, stderr } = await finish(child)
  if (await ready) return false
  const where = `${command[0]} with ${limit} descriptors, exit code ${code}, signal ${signal}:\n${stderr}`
  if (!stderr.includes('interceptor: ') && diedInNode(code, signal, stderr)) return true
  if (WORKED.includes(code)) return false
  assert.match(stderr, /^interceptor: .* more files.* \(EMFILE\)\nRaise .* `ulimit -n 4096`.*\n$/m, where)
  assert.doesNotMatch(stderr, /restarted|^ {4}at /m, where)
  assert.equal(code, EXIT_RUNTIME, where)
  named.push(limit)
  return true
}

/** A user without other processes; with these capabilities it may enter any folder, and capture. */
const ALONE = ['setpriv', '--reuid=64213', '--regid=64213', '--clear-groups'].concat(
  ['inh-caps', 'ambient-caps'].map((set) => `--${set}=+dac_override,+net_raw`),
  '--bounding-set=-all,+dac_override,+net_raw',
)
/** With fewer threads Node.js does not start. */
const LEAST_THREADS = 8
/** More than two CPUs need, however many there are. */
const MOST_THREADS = 40

test('few threads: commands name the limit until there are enough', {
  skip: needs('linux', 'root', 'ip', 'setpriv'),
}, async (t) => {
  const namespace = Namespace.create()
  t.after(() => namespace.delete())
  const alone = ['ip', 'netns', 'exec', namespace.name, ...ALONE]
  for (const command of [
    ['read', '-'],
    ['capture', '-i', 'lo', '-o', 'none', '--set', 'assemble.workers=1'],
  ]) {
    let named = 0
    for (let limit = LEAST_THREADS; ; limit++) {
      assert.ok(limit < MOST_THREADS, `${command[0]} does not work with ${limit} threads`)
      const child = start(command, { under: [...alone, 'prlimit', `--nproc=${limit}`] })
      child.stdin?.end()
      // Printed once all threads run, as nothing is sent in this namespace. The line before it is printed before a thread can fail.
      child.stderr?.on('data', (chunk: Buffer) => /no frames were seen/.test(String(chunk)) && child.kill('SIGKILL'))
      const { code, signal, stderr } = await finish(child)
      const where = `${command[0]} with ${limit} threads, exit code ${code}, signal ${signal}:\n${stderr}`
      if (signal === 'SIGKILL' || WORKED.includes(code)) break
      if (signal === 'SIGABRT') continue
      assert.match(
        stderr,
        /^interceptor: this process may not start more threads\nRaise .*ulimit -u.*pids\.max/m,
        where,
      )
      assert.doesNotMatch(stderr, /restarted|^ {4}at /m, where)
      assert.equal(code, EXIT_RUNTIME, where)
      named += 1
    }
    assert.notEqual(named, 0, `${command[0]} has not named the limit`)
  }
})

test('few threads: files are read where there is none to watch the main thread', {
  skip: needs('linux', 'root', 'setpriv'),
}, async () => {
  // Longer than a second, after which that thread is started.
  const files = Array.from({ length: 1000 }, () => THOUSAND)
  for (let limit = LEAST_THREADS; ; limit++) {
    assert.ok(limit < MOST_THREADS, `read does not work with ${limit} threads`)
    const child = start(['read', '-o', 'none', ...files], { under: [...ALONE, 'prlimit', `--nproc=${limit}`] })
    const { code, signal, stderr } = await finish(child)
    if (signal === 'SIGABRT' || /this process may not start more threads/.test(stderr)) continue
    assert.equal(code, 0, `with ${limit} threads: ${stderr}`)
    break
  }
})

/** Whether Node.js ended before a module of this program ran, or could not start a thread and aborted. */
const diedInNode = (code: number | null, signal: string | null, stderr: string): boolean =>
  signal !== null ||
  code! > 128 ||
  (/^node:|Assertion failed/m.test(stderr) &&
    !/^ {4}at .*\/dist\/bundle/m.test(stderr) &&
    !/open '[^']*\/dist\/bundle\/(?!main\.js')/.test(stderr))

/** Ends an agent that captures. @returns whether it did */
async function killOnceReady(child: ChildProcess): Promise<boolean> {
  let log = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk
  })
  while (child.exitCode === null && child.signalCode === null) {
    const url = /"url":"([^"]+)"/.exec(log)?.[1]
    const isReady =
      url !== undefined &&
      (await fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ))
    if (isReady) return child.kill('SIGKILL')
    await sleep(20)
  }
  return false
}

test('no /proc: capture reports it', { skip: needs('root', 'unshare') }, () => {
  const script = `mount -t tmpfs none /proc; exec ${process.execPath} ${PROGRAM} capture -i lo -o none`
  const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.match(stderr, /^interceptor: the proc filesystem is not mounted at \/proc\n.*mount -t proc.*\n$/)
  assert.equal(status, EXIT_RUNTIME)
})
