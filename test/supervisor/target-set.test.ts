/** Dealing interfaces out to capture workers, and what must end the process. Real sockets, real threads. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { SocketOpener } from '../../src/capture/af-packet/socket-opener.ts'
import { createLogger } from '../../src/log/logger.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { CaptureSlot } from '../../src/supervisor/capture-slot.ts'
import { TargetSet } from '../../src/supervisor/target-set.ts'
import { ownNetns } from '../../src/sys/netns.ts'
import type { InterfaceInfo } from '../../src/target/interface-info.ts'
import { namespaces, targetOf } from '../support/target-rig.ts'

const MIB = 1024 * 1024
const skip = needs('root', 'ip')
const log = createLogger({ level: 'silent', form: 'lines' })

interface Rig {
  set: TargetSet
  slots: CaptureSlot[]
  /** As announced to the assemblers. */
  told: { id: number; info: InterfaceInfo }[]
}

function rigOf(t: TestContext, workers: number): Rig {
  const told: Rig['told'] = []
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
        isRestartable: true,
        onMessage: (message) => set?.onMessage(message),
        log,
      }),
  )
  const sockets = new SocketOpener({
    filter: '',
    exclude: [],
    snapLength: 65536,
    ringBytes: MIB,
    promiscuous: false,
    tunnels: [],
  })
  set = new TargetSet({
    sockets,
    slots,
    announce: ({ id, info }) => told.push({ id, info }),
    ownNetns: ownNetns(),
    log,
  })
  t.after(async () => {
    for (const { worker } of slots) worker.drain()
    await Promise.all(slots.map(({ worker }) => worker.ended))
    await set?.end()
  })
  return { set, slots, told }
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
    rig.told.map(({ id, info }) => [id, info.domain]),
    [
      [0, 1],
      [1, 1],
      [2, 2],
      [3, 0],
      [4, 0],
    ],
  )
})

/** A process that enters the pod's user namespace has no privilege to return to its own. */
const ONE_WAY = `
  import { spawn } from 'node:child_process'
  import { once } from 'node:events'
  import { statSync } from 'node:fs'
  const load = (path) => import(new URL(path, ${JSON.stringify(new URL('../../src/', import.meta.url).href)}))
  const { SocketOpener } = await load('capture/af-packet/socket-opener.js')
  const { TargetSet } = await load('supervisor/target-set.js')
  const { CaptureSlot } = await load('supervisor/capture-slot.js')
  const { Doorbell } = await load('ring/doorbell.js')
  const { createLogger } = await load('log/logger.js')
  const pod = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  process.on('exit', () => pod.kill())
  await once(pod.stdout, 'data')
  const path = '/proc/' + pod.pid + '/ns/net'
  const log = createLogger({ level: 'silent', form: 'lines' })
  const slot = new CaptureSlot({
    slot: 0, frameRingBytes: 1 << 21, assemblerBells: [Doorbell.allocate()], whenFull: 'drop', tunnels: [], isRestartable: true,
    onMessage: () => {}, log,
  })
  const options = { filter: '', exclude: [], snapLength: 65536, ringBytes: 1 << 20, promiscuous: false, tunnels: [] }
  const set = new TargetSet({ sockets: new SocketOpener(options), slots: [slot], announce: () => {}, ownNetns: 0, log })
  const netns = { path, inode: statSync(path).ino }
  const info = { name: 'lo', vantage: 'server', mesh: null, vantagePoint: null }
  await set.add({ key: 'k', device: 'lo', netns, info, excludePorts: [], onlyAddresses: null, onlyPorts: null, tunnels: false, labels: {} }).catch(() => {})
  console.log('went on')
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
  assert.equal(status, 1, stderr)
  assert.match(
    stderr,
    /NetnsReturnError: cannot leave the network namespace \/proc\/\d+\/ns\/net; the process cannot continue/,
  )
})
