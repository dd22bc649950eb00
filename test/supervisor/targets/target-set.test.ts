/** Assigning interfaces to capture workers, and conditions that must end the process, with real sockets and threads. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { needs } from '../../../rig/needs.ts'
import { INTERFACE_IDS } from '../../../src/assemble/state-bounds.ts'
import { SocketOpener } from '../../../src/capture/af-packet/socket-opener.ts'
import { EXIT_RUNTIME } from '../../../src/errors.ts'
import { count, sumLedger } from '../../../src/ledger/ledger.ts'
import { createLogger } from '../../../src/log/logger.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { TargetSet } from '../../../src/supervisor/targets/target-set.ts'
import { CaptureSlot } from '../../../src/supervisor/workers/capture-slot.ts'
import { threads } from '../../../src/supervisor/workers/threads.ts'
import { ownNetns } from '../../../src/sys/netns.ts'
import type { CaptureTarget } from '../../../src/target/capture-target.ts'
import type { InterfaceInfo } from '../../../src/target/interface-info.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { named, namespaces, rings, targetOf } from '../../support/target-rig.ts'

const MIB = 1024 * 1024
const skip = needs('root', 'ip')
const log = createLogger({ level: 'silent', form: 'lines' })

interface Rig {
  set: TargetSet
  slots: CaptureSlot[]
  /** Interfaces as announced to the assemblers. */
  announced: { id: number; info: InterfaceInfo }[]
}

function rigOf(t: TestContext, workers: number, interfaceIds = INTERFACE_IDS): Rig {
  const announced: Rig['announced'] = []
  let set: TargetSet | null = null
  const assemblerBells = [Doorbell.allocate()]
  const slots = Array.from(
    { length: workers },
    (_, slot) =>
      new CaptureSlot({
        slot,
        frameRingBytes: 2 * MIB,
        assemblerBells,
        whenFull: 'drop',
        tunnels: [],
        secret: 0,
        pairRings: [],
        warmUpShare: 0,
        threadMates: [],
        isRestartable: true,
        onMessage: (message) => set?.onMessage(message),
        stages: threads,
        log,
      }),
  )
  const sockets = new SocketOpener({
    filter: '',
    exclude: [],
    snapLength: 65536,
    ringBytes: 4 * MIB,
    initialRingBytes: MIB,
    promiscuous: false,
    tunnels: [],
  })
  set = new TargetSet({
    sockets,
    slots,
    announce: ({ id, info }) => announced.push({ id, info }),
    interfaceIds,
    ownNetns: ownNetns(),
    log,
  })
  t.after(async () => {
    for (const { worker } of slots) worker.drain()
    await Promise.all(slots.map(({ worker }) => worker.ended))
    await set?.end()
  })
  return { set, slots, announced }
}

const loads = ({ slots }: Rig): number[] =>
  slots.map(({ source }) => {
    const spec = source()
    return spec.kind === 'af-packet' ? spec.sockets.length : 0
  })

test('target set: assigns an interface to the worker with the fewest, and starts a worker only when needed', {
  skip,
}, async (t) => {
  const rig = rigOf(t, 3)
  const targets = namespaces(t, 7).map((pod) => targetOf(pod))
  await rig.set.add(targets[0])
  assert.deepEqual(
    rig.slots.map(({ worker }) => worker.started),
    [true, false, false],
  )
  await Promise.all(targets.map((target) => rig.set.add(target)))
  assert.deepEqual(loads(rig).sort(), [2, 2, 3])
  await Promise.all(targets.slice(0, 6).map(({ key }) => rig.set.remove(key)))
  await Promise.all(targets.slice(0, 2).map((target) => rig.set.add(target)))
  assert.deepEqual(loads(rig), [1, 1, 1])
})

test('target set: interfaces of one namespace share a domain, which is 0 for the process’s own', {
  skip,
}, async (t) => {
  const rig = rigOf(t, 1)
  const [one, other] = namespaces(t, 2)
  const home = { ...targetOf(one), key: 'home', netns: null }
  const byPath = { ...home, key: 'again', netns: { path: '/proc/self/ns/net', inode: ownNetns() } }
  for (const target of [targetOf(one), targetOf(one, 'any'), targetOf(other), home, byPath]) {
    assert.equal(await rig.set.add(target), 'captured')
  }
  assert.deepEqual(
    rig.announced.map(({ id, info }) => [id, info.domain]),
    [
      [0, 1],
      [1, 1],
      [2, 2],
      [3, 0],
      [4, 0],
    ],
  )
})

test('target set: rejects an interface if all numbers are in use, and continues to capture the others', {
  skip,
}, async (t) => {
  const rig = rigOf(t, 1, 2)
  const targets = namespaces(t, 1).flatMap((pod) => [
    targetOf(pod),
    targetOf(pod, 'any'),
    { ...targetOf(pod), key: 'more' },
  ])
  const added = await Promise.all(targets.map((target) => rig.set.add(target)))
  assert.deepEqual(
    added.map((result) => (result === 'captured' ? result : result.reason)),
    ['captured', 'captured', 'refused'],
  )
  assert.deepEqual(
    rig.announced.map(({ id }) => id),
    [0, 1],
  )
  assert.equal(count(sumLedger(rig.set.blocks), 'interfaces.openFailed.refused'), 1)
})

const KEYS = ['lo of a', 'any of a', 'lo of b', 'own lo', 'gone'] as const
type Key = (typeof KEYS)[number]

const steps = fc.array(
  fc.record({ does: fc.constantFrom('add', 'add', 'remove', 'update', 'grow'), key: fc.constantFrom(...KEYS) }),
  { minLength: 1, maxLength: 8 },
)

/** What a target set should hold: the last given name of each key's target. */
class Model {
  readonly captured = new Map<Key, string>()
  /** Domains of namespaces at the end of the last steps. */
  domains = new Set<number>()
  /** Domains that have had no interface for some time: a namespace that returns gets a new one. */
  readonly retired = new Set<number>()
  failed = 0

  /** Concurrent steps: for each key, the last addition or removal applies. */
  apply(all: readonly { does: string; key: Key; name: string }[]): void {
    const requested = new Set<Key>()
    for (const { does, key, name } of all) {
      if (does === 'remove') {
        this.captured.delete(key)
        requested.delete(key)
      } else if (does === 'add') {
        requested.add(key)
        if (key !== 'gone') this.captured.set(key, name)
      } else if (does === 'update' && this.captured.has(key)) this.captured.set(key, name)
    }
    if (requested.has('gone')) this.failed += 1
  }
}

/** What a worker posts when a ring is too small. */
function askForLargerRing(rig: Rig, key: string): void {
  const held = announcedOf(rig).get(key)
  if (held !== undefined) rig.set.onMessage({ t: 'ringShort', interfaceId: held.id })
}

/** Waits until no interface has two sockets. */
async function untilReplaced(rig: Rig): Promise<void> {
  for (;;) {
    // Requests another action, which the set handles afterwards.
    await new Promise((resolve) => setTimeout(resolve, 1))
    const sockets = loads(rig).reduce((sum, load) => sum + load, 0)
    if (sockets === rig.set.observe().length && rings() === sockets) return
  }
}

/** Number and domain of each captured interface, by key, as last announced to the assemblers. */
function announcedOf({ set, announced }: Rig): Map<string, { id: number; domain: number; name: string }> {
  const newest = new Map(announced.map(({ id, info }) => [info.name, { id, domain: info.domain, name: info.name }]))
  return new Map(set.observe().map(({ key, name }) => [key, newest.get(name)!]))
}

function assertLikeModel(rig: Rig, model: Model, targets: ReadonlyMap<Key, CaptureTarget>): void {
  const { captured, failed } = model
  const held = announcedOf(rig)
  assert.deepEqual(new Map([...held].map(([key, { name }]) => [key, name])), new Map(captured))
  assert.equal(new Set([...held.values()].map(({ id }) => id)).size, captured.size, 'a number for each interface')
  for (const [key, { domain }] of held) {
    const { netns } = targets.get(key as Key)!
    assert.equal(domain === 0, netns === null)
    for (const [other, { domain: others }] of held) {
      assert.equal(domain === others, netns?.inode === targets.get(other as Key)!.netns?.inode, `${key}, ${other}`)
    }
  }
  const domains = new Set([...held.values()].map(({ domain }) => domain).filter((domain) => domain !== 0))
  assert.ok(![...domains].some((domain) => model.retired.has(domain)), 'a namespace that returns has a new domain')
  for (const domain of model.domains) if (!domains.has(domain)) model.retired.add(domain)
  model.domains = domains
  const ledger = sumLedger([...rig.set.blocks, ...rig.set.interfaceBlocks])
  assert.equal(count(ledger, 'interfaces.opened') - count(ledger, 'interfaces.closed'), captured.size)
  assert.equal(count(ledger, 'interfaces.openFailed.gone'), failed)
  assert.equal(
    loads(rig).reduce((sum, load) => sum + load, 0),
    captured.size,
    'each is read by one worker',
  )
  assert.equal(rings(), captured.size, 'one ring for each interface')
}

test('target set: model: holds what was added last, under any sequence of concurrent additions, removals and updates', {
  skip,
}, async (t) => {
  const rig = rigOf(t, 2)
  const [a, b] = namespaces(t, 2)
  const targets = new Map<Key, CaptureTarget>([
    ['lo of a', targetOf(a)],
    ['any of a', targetOf(a, 'any')],
    ['lo of b', targetOf(b)],
    ['own lo', { ...targetOf(a), netns: null }],
    ['gone', { ...targetOf(a), netns: { path: '/proc/0/ns/net', inode: 1 } }],
  ])
  const model = new Model()
  let names = 0
  const run = async (all: readonly { does: string; key: Key }[]): Promise<void> => {
    const renamed = all.map((step) => ({ ...step, name: `${step.key} ${names++}` }))
    const before = loads(rig)
    const isNew = all.length === 1 && all[0].does === 'add' && all[0].key !== 'gone' && !model.captured.has(all[0].key)
    await Promise.all(
      renamed.map(({ does, key, name }) => {
        const target = named(name, { ...targets.get(key)!, key })
        if (does === 'remove') return rig.set.remove(key)
        if (does === 'grow') return askForLargerRing(rig, key)
        return does === 'add' ? rig.set.add(target) : rig.set.update(target)
      }),
    )
    await untilReplaced(rig)
    model.apply(renamed)
    assertLikeModel(rig, model, targets)
    if (!isNew) return
    const chosen = loads(rig).findIndex((load, slot) => load > before[slot])
    assert.equal(before[chosen], Math.min(...before), 'the worker with the fewest')
  }
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 10 }), async (batches) => {
      for (const batch of batches) await run(batch)
      await run(KEYS.map((key) => ({ does: 'remove', key })))
    }),
    // The sockets of a failed example may still be open, so no other example can be tried.
    { numRuns: propertyRuns(24), endOnFailure: true },
  )
})

/** A process that enters the pod's user namespace has no privilege to return to its own. */
const ONE_WAY = `
  import { spawn } from 'node:child_process'
  import { once } from 'node:events'
  import { statSync } from 'node:fs'
  const load = (path) => import(new URL(path, ${JSON.stringify(new URL('../../../src/', import.meta.url).href)}))
  const { SocketOpener } = await load('capture/af-packet/socket-opener.js')
  const { TargetSet } = await load('supervisor/targets/target-set.js')
  const { CaptureSlot } = await load('supervisor/workers/capture-slot.js')
  const { Doorbell } = await load('ring/doorbell.js')
  const { createLogger } = await load('log/logger.js')
  const { threads } = await load('supervisor/workers/threads.js')
  const pod = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  process.on('exit', () => pod.kill())
  await once(pod.stdout, 'data')
  const path = '/proc/' + pod.pid + '/ns/net'
  const log = createLogger({ level: 'silent', form: 'lines' })
  const slot = new CaptureSlot({
    slot: 0, frameRingBytes: 1 << 21, assemblerBells: [Doorbell.allocate()], whenFull: 'drop', tunnels: [], threadMates: [],
    isRestartable: true, warmUpShare: 0, onMessage: () => {}, stages: threads, log,
  })
  const options = { filter: '', exclude: [], snapLength: 65536, ringBytes: 1 << 20, promiscuous: false, tunnels: [] }
  const set = new TargetSet({ sockets: new SocketOpener(options), slots: [slot], announce: () => {}, interfaceIds: 1, ownNetns: 0, log })
  const netns = { path, inode: statSync(path).ino }
  const info = { name: 'lo', vantage: 'server', mesh: null, vantagePoint: null }
  await set.add({ key: 'k', device: 'lo', netns, info, excludePorts: [], onlyAddresses: null, onlyPorts: null, tunnels: false, labels: {} }).catch(() => {})
  console.log('still runs')
  process.exit(0)`

test('target set: failing to return from a namespace ends the process', { skip: needs('root', 'userns') }, (t) => {
  // A file, because worker threads inherit the options of `node --eval` and refuse them.
  const folder = mkdtempSync(join(tmpdir(), 'target-set-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const program = join(folder, 'one-way.mjs')
  writeFileSync(program, ONE_WAY)
  const node = [process.execPath, program]
  const { status, stdout, stderr } = spawnSync('unshare', ['--user', '--map-root-user', ...node], { encoding: 'utf8' })
  assert.equal(stdout, '')
  assert.equal(status, EXIT_RUNTIME, stderr)
  assert.match(
    stderr,
    /NetnsReturnError: cannot leave the network namespace \/proc\/\d+\/ns\/net; the process cannot continue/,
  )
})
