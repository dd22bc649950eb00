/** Interfaces that are added and removed while the pipeline runs, in network namespaces like those of pods. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { needs } from '../../rig/needs.ts'
import type { Namespace } from '../../rig/netns.ts'
import { defaultConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { CAPTURE_COUNTERS } from '../../src/ledger/counters.ts'
import { count, sumLedger } from '../../src/ledger/ledger.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'
import { descriptors, named, namespaces, ringBytes, rings, TargetRig, targetOf } from '../support/target-rig.ts'
import type { Taken } from './many-targets-program.ts'

const MIB = 1024 * 1024
const PORT = 21130
const URL_ = `http://127.0.0.1:${PORT}/`
const skip = needs('root', 'ip')

/** Resident memory after a garbage collection, without pages of files: those are discarded once, and read again as they are used. */
function memoryInUse(): number {
  collectGarbage()
  const status = readFileSync('/proc/self/status', 'utf8')
  const kilobytes = [...status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)].map(([, digits]) => Number(digits))
  assert.equal(kilobytes.length, 2)
  return (kilobytes[0] + kilobytes[1]) * 1024
}

/** Kernel rings that hold the frames that arrive while a worker waits for a CPU or is restarted. */
const roomy = (config: Config): Config => ({
  ...config,
  capture: { ...config.capture, ringBytes: 32 * MIB, initialRingBytes: 32 * MIB },
})

async function serve(t: TestContext, ...where: Namespace[]): Promise<void> {
  for (const namespace of where) {
    const server = await serveHttp(namespace, PORT, 500)
    t.after(() => endServer(server))
  }
}

/**
 * Sends consecutive requests over one connection from a separate process, with pauses that leave the CPU to others.
 *
 * @returns a function that ends it and resolves with their number
 */
async function keepRequesting(namespace: Namespace): Promise<() => Promise<number>> {
  const script = `const http = require('http'), agent = new http.Agent({ keepAlive: true })
    const one = () => new Promise((done, failed) => {
      http.get('${URL_}', { agent }, (response) => response.resume().on('end', done)).on('error', failed)
    })
    let made = 0, enough = false
    process.stdin.on('end', () => { enough = true }).resume()
    ;(async () => {
      for (; !enough; made++) await one().then(() => new Promise((resolve) => setTimeout(resolve, 1)))
      agent.destroy()
      console.log(made)
    })()`
  const client = namespace.spawn(process.execPath, '-e', script)
  let made = ''
  client.stdout!.on('data', (chunk) => {
    made += String(chunk)
  })
  return async () => {
    client.stdin!.end()
    await once(client, 'close')
    return Number(made)
  }
}

test('targets: emits pairs from the addition of a target until its removal', { skip }, async (t) => {
  const [pod] = namespaces(t, 1)
  await serve(t, pod)
  const rig = new TargetRig(t)
  requestHttp(pod, URL_, 2)
  const target = named('shop', targetOf(pod))
  await rig.add(target)
  requestHttp(pod, URL_, 3)
  await rig.pipeline.remove(target.key)
  requestHttp(pod, URL_, 4)
  const { ledger } = await rig.end()
  assert.deepEqual(rig.pairs(), { shop: 3 })
  assert.deepEqual([count(ledger, 'interfaces.opened'), count(ledger, 'interfaces.closed')], [1, 1])
})

test('targets: removing a target abandons its pending exchanges and ends its connections', { skip }, async (t) => {
  const [pod] = namespaces(t, 1)
  await serve(t, pod)
  const rig = new TargetRig(t)
  const target = targetOf(pod)
  await rig.add(target)
  const client = pod.spawn(
    'bash',
    '-c',
    `exec 3<>/dev/tcp/127.0.0.1/${PORT}; printf 'POST / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 5\\r\\n\\r\\n' >&3; sleep 60`,
  )
  t.after(() => client.kill())
  await rig.until(() => rig.count('messages.requests') === 1)
  await rig.pipeline.remove(target.key)
  await rig.until(() => rig.count('flows.open') === 0)
  assert.equal(rig.count('flows.closed.interfaceGone'), 1)
  assert.equal(rig.count('requests.abandoned.interfaceGone'), 1)
  await rig.end()
})

test('targets: others lose nothing while some are added and removed', { skip }, async (t) => {
  const [steady, ...others] = namespaces(t, 5)
  await serve(t, steady, others[0])
  const rig = new TargetRig(t, { config: roomy })
  await rig.add(named('steady', targetOf(steady)))
  const stop = await keepRequesting(steady)
  const changes = 8
  for (let change = 0; change < changes; change++) {
    await Promise.all(others.map((pod) => rig.add(named('other', targetOf(pod)))))
    requestHttp(others[0], URL_, 1)
    await Promise.all(others.map((pod) => rig.pipeline.remove(targetOf(pod).key)))
  }
  const requests = await stop()
  const { ledger } = await rig.end()
  assert.ok(requests > 100)
  assert.deepEqual(rig.pairs(), { steady: requests, other: changes })
  assert.equal(count(ledger, 'frames.dropped') + count(ledger, 'frames.kernelDropped'), 0)
})

test('targets: removing a target releases its descriptor and ring at once', { skip }, async (t) => {
  const pods = namespaces(t, 4)
  const targets = pods.map((pod) => targetOf(pod))
  const rig = new TargetRig(t)
  await rig.add(targets[0])
  await rig.add(targets[1])
  const before = [descriptors(), rings()]
  await rig.add(targets[2])
  await rig.add(targets[3])
  assert.deepEqual([descriptors(), rings()], [before[0] + 2, before[1] + 2])
  await rig.pipeline.remove(targets[2].key)
  await rig.pipeline.remove(targets[3].key)
  assert.deepEqual([descriptors(), rings()], before)
  await rig.end()
  assert.equal(rings(), 0, 'the run gives back the rest')
})

test('targets: adding a captured target updates it, and its pairs show the change', { skip }, async (t) => {
  const [pod] = namespaces(t, 1)
  await serve(t, pod)
  const rig = new TargetRig(t)
  await rig.add(named('first', targetOf(pod)))
  requestHttp(pod, URL_, 1)
  await rig.until(() => rig.count('pairs.shipped') === 1)
  await rig.add(named('second', targetOf(pod, 'lo', { labels: { pod: 'p' } })))
  assert.deepEqual(
    rig.pipeline.observe().interfaces.map(({ name, labels }) => [name, labels]),
    [['second', { pod: 'p' }]],
  )
  requestHttp(pod, URL_, 1)
  await rig.until(() => rig.count('pairs.shipped') === 2)
  // Requests block this thread, and with it the pending change.
  rig.pipeline.update(named('third', targetOf(pod, 'lo', { excludePorts: [PORT] })))
  await Promise.resolve()
  requestHttp(pod, URL_, 1)
  rig.pipeline.update(named('third', targetOf(pod)))
  await Promise.resolve()
  requestHttp(pod, URL_, 1)
  await rig.end()
  assert.deepEqual(rig.pairs(), { first: 1, second: 1, third: 1 })
  assert.equal(rings(), 0)
})

test('targets: captures only packets of the given addresses, without the excluded ports', { skip }, async (t) => {
  const [pod] = namespaces(t, 1)
  pod.ip('addr', 'add', '10.9.0.1/32', 'dev', 'lo')
  pod.ip('addr', 'add', 'fd99::1/128', 'dev', 'lo', 'nodad')
  await serve(t, pod)
  const rig = new TargetRig(t)
  const onlyAddresses = ['10.9.0.1', 'fd99::1']
  await rig.add(named('any', targetOf(pod, 'any', { onlyAddresses, excludePorts: [PORT + 1] })))
  const other = await serveHttp(pod, PORT + 1, 500)
  t.after(() => endServer(other))
  requestHttp(pod, URL_, 1)
  for (const host of ['10.9.0.1', '[fd99::1]']) {
    requestHttp(pod, `http://${host}:${PORT}/`, 2)
    requestHttp(pod, `http://${host}:${PORT + 1}/`, 2)
  }
  await rig.end()
  assert.deepEqual(rig.pairs(), { any: 4 })
})

test('targets: only counts a pod that has ended, or whose pid was reused', { skip }, async (t) => {
  const [pod, other] = namespaces(t, 2)
  const rig = new TargetRig(t)
  const before = descriptors()
  const target = targetOf(pod)
  const wrongs = [
    { ...target, netns: { path: other.path, inode: target.netns!.inode } },
    { ...target, netns: { path: '/proc/999999999/ns/net', inode: 1 } },
    { ...target, device: 'eth0' },
  ]
  for (const wrong of wrongs) {
    const result = await rig.pipeline.add(wrong)
    assert.ok(result !== 'captured')
    assert.equal(result.reason, 'gone', result.message)
  }
  assert.equal(rig.count('interfaces.openFailed.gone'), 3)
  assert.deepEqual(rig.lines, [], 'nothing to act upon')
  await rig.add(target)
  await rig.pipeline.remove(target.key)
  const { ledger } = await rig.end()
  assert.equal(count(ledger, 'interfaces.opened'), 1)
  assert.ok(descriptors() <= before)
})

test('targets: does not capture a target that is removed before it is opened', { skip }, async (t) => {
  const [pod] = namespaces(t, 1)
  const rig = new TargetRig(t)
  const target = targetOf(pod)
  const adding = rig.pipeline.add(target)
  await rig.pipeline.remove(target.key)
  const result = await adding
  assert.ok(result !== 'captured' && result.reason === 'ended')
  assert.equal(rings(), 0)
  await rig.end()
})

test('targets: starts a capture worker when it is needed', { skip }, async (t) => {
  const [pod] = namespaces(t, 1)
  const rig = new TargetRig(t)
  const workers = (): number => rig.pipeline.observe().threads.filter(({ role }) => role === 'capture').length
  assert.equal(workers(), 0)
  await rig.add(targetOf(pod))
  assert.equal(workers(), 1)
  await rig.end()
})

test('targets: a run shows its interfaces, threads, rings and buffer', { skip }, async (t) => {
  const [pod] = namespaces(t, 1)
  await serve(t, pod)
  const rig = new TargetRig(t)
  const early = rig.pipeline.observe()
  assert.deepEqual([early.interfaces, early.outputReachable], [[], null])
  pod.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer0')
  pod.ip('link', 'set', 'eth0', 'up')
  const eth = targetOf(pod, 'eth0', { labels: { namespace: 'shop', pod: 'api-1' } })
  await rig.add(eth)
  await rig.add(targetOf(pod))
  requestHttp(pod, URL_, 3)
  await rig.until(() => rig.count('pairs.shipped') === 3 && rig.pipeline.observe().outputReachable === true)
  pod.ip('link', 'delete', 'eth0')
  await rig.until(() => !rig.pipeline.observe().interfaces[0].up)
  const { interfaces, threads, rings: between, blocks, buffer } = rig.pipeline.observe()
  const { index } = CAPTURE_COUNTERS
  assert.deepEqual(
    interfaces.map(({ key, name, labels, up }) => [key, name, labels, up]),
    [
      [eth.key, 'eth0', eth.labels, false],
      [targetOf(pod).key, 'lo', {}, true],
    ],
  )
  const [first, second] = interfaces.map(({ block }) => block.values)
  assert.ok(first[index.seen] === 0 && second[index.seen] > 6)
  assert.equal(count(sumLedger(blocks), 'frames.seen'), 0, 'nothing is counted twice')
  assert.deepEqual(threads.map(({ role }) => role).sort(), ['assemble', 'capture', 'main', 'ship'])
  await rig.until(() => rig.pipeline.observe().threads.every(({ cpuSeconds }) => cpuSeconds !== null && cpuSeconds > 0))
  await rig.until(() => rig.pipeline.observe().threads.every(({ silentMs }) => silentMs < 5000))
  assert.deepEqual(
    between.map(({ kind, from, to }) => `${kind} ${from} ${to}`),
    ['frames capture-0 assemble-0', 'pairs assemble-0 ship-0'],
  )
  assert.ok(between.every(({ usedBytes, capacityBytes }) => usedBytes >= 0 && usedBytes < capacityBytes))
  assert.deepEqual([buffer.bytes, buffer.oldestMs], [0, 0])
  await rig.pipeline.remove(targetOf(pod).key)
  const gone = rig.pipeline.observe()
  assert.equal(count(sumLedger(gone.blocks), 'frames.seen'), second[index.seen], 'what has gone is counted on')
  assert.equal(gone.interfaces.length, 1)
  await rig.end()
})

test('targets: new rules apply from the moment they are set', { skip }, async (t) => {
  const [pod] = namespaces(t, 1)
  await serve(t, pod)
  const rig = new TargetRig(t, { all: false })
  await rig.add(targetOf(pod))
  requestHttp(pod, URL_, 2)
  await rig.until(() => rig.count('pairs.filtered.contentType') === 2)
  const { include } = defaultConfig().filter
  const rules = {
    contentTypes: [],
    userAgentPrefixes: [],
    requestHeaders: [],
    statuses: [],
    paths: ['/health'],
    include,
  }
  rig.pipeline.setFilter(rules)
  requestHttp(pod, URL_, 3)
  requestHttp(pod, `${URL_}health`, 1)
  await rig.end()
  assert.deepEqual(rig.pairs(), { lo: 3 })
})

test('targets: the successor of a crashed capture worker continues with all its sockets, and loses nothing', {
  skip,
}, async (t) => {
  const pods = namespaces(t, 3)
  await serve(t, ...pods)
  const started: Worker[] = []
  const note = (worker: Worker): void => void started.push(worker)
  const rig = new TargetRig(t, {
    config: (config) => roomy({ ...config, capture: { ...config.capture, maxWorkers: 1 } }),
  })
  await rig.until(() =>
    rig.pipeline.observe().threads.some(({ role, cpuSeconds }) => role === 'assemble' && cpuSeconds !== null),
  )
  process.on('worker', note)
  t.after(() => process.off('worker', note))
  for (const [i, pod] of pods.entries()) await rig.add(named(`pod${i}`, targetOf(pod)))
  const stops = await Promise.all(pods.slice(0, 2).map((pod) => keepRequesting(pod)))
  for (let crash = 1; crash <= 3; crash++) {
    await rig.until(() => rig.count('pairs.assembled') > 300 * crash)
    await started.at(-1)!.terminate()
    // No worker reads them before there is a successor.
    if (crash === 1) requestHttp(pods[2], URL_, 5)
    if (crash === 2) void rig.pipeline.remove(targetOf(pods[2]).key)
    await rig.until(() => started.length === crash + 1)
  }
  const [first, second] = await Promise.all(stops.map((stop) => stop()))
  const outcome = await rig.end()
  assert.equal(count(outcome.ledger, 'frames.kernelDropped'), 0)
  // The burst after a crash may exceed what the output accepts at once; only the capture must not lose any.
  assert.equal(count(outcome.ledger, 'pairs.assembled'), first + second + 5)
  assert.equal(count(outcome.ledger, 'interfaces.closed'), 3)
  assert.equal(rings(), 0)
})

test('targets: a thousand changes leak nothing', { skip }, async (t) => {
  const pods = namespaces(t, 25)
  const rig = new TargetRig(t)
  let changes = 0
  const change = async (): Promise<void> => {
    await Promise.all(pods.map((pod) => rig.add(targetOf(pod))))
    await Promise.all(pods.map((pod) => rig.pipeline.remove(targetOf(pod).key)))
    changes += pods.length
  }
  // The memory of the start is returned once, after five seconds.
  const settled = performance.now() + 7000
  for (let round = 0; round < 12 || performance.now() < settled; round++) await change()
  const before = { descriptors: descriptors(), memory: memoryInUse() }
  for (let round = 0; round < 20; round++) await change()
  assert.deepEqual({ descriptors: descriptors(), rings: rings() }, { descriptors: before.descriptors, rings: 0 })
  const grown = (memoryInUse() - before.memory) / MIB
  t.diagnostic(`${grown.toFixed(1)} MiB more after 1000 changes`)
  // V8's young generation alone may grow by 16 MiB. Rings and descriptors are counted exactly above.
  assert.ok(grown < 24, `${grown} MiB more`)
  assert.deepEqual(rig.pipeline.observe().interfaces, [])
  const { ledger } = await rig.end()
  assert.equal(count(ledger, 'interfaces.opened'), changes)
  assert.equal(count(ledger, 'interfaces.closed'), changes)
})

test('targets: a ring that is too small for its traffic grows, and every exchange is emitted once', {
  skip,
}, async (t) => {
  const [pod] = namespaces(t, 1)
  await serve(t, pod)
  const sizes = { ringBytes: 8 * MIB, initialRingBytes: MIB / 2 }
  const rig = new TargetRig(t, { config: (config) => ({ ...config, capture: { ...config.capture, ...sizes } }) })
  await rig.add(named('shop', targetOf(pod)))
  assert.equal(ringBytes(), MIB / 2)
  const stop = await keepRequesting(pod)
  await rig.until(() => ringBytes() === 8 * MIB, 'the ring does not grow')
  const before = rig.count('messages.requests')
  await rig.until(() => rig.count('messages.requests') > before)
  const made = await stop()
  const { ledger } = await rig.end()
  const { shop } = rig.pairs()
  assert.equal(shop, made)
  assert.equal(count(ledger, 'flows.seen'), 1)
  assert.deepEqual([count(ledger, 'interfaces.opened'), count(ledger, 'interfaces.closed')], [1, 1])
})

test('targets: a node full of pods needs at most 150 MiB beside its kernel rings', { skip }, async (t) => {
  const pods = namespaces(t, 110)
  const program = fileURLToPath(new URL('many-targets-program.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...pods.map(({ path }) => path)])
  const taken: Taken = JSON.parse(stdout)
  const { initialRingBytes } = defaultConfig().capture
  assert.equal(taken.captured, pods.length)
  assert.equal(taken.rings, pods.length * initialRingBytes)
  assert.equal(taken.descriptors - taken.descriptorsBefore, pods.length - 1, 'one descriptor each')
  assert.ok(taken.captureWorkers <= 2)
  t.diagnostic(`${(taken.memory / MIB).toFixed(0)} MiB, ${taken.captureWorkers} capture workers`)
  assert.ok(taken.memory <= 150 * MIB, `${taken.memory / MIB} MiB`)
})
