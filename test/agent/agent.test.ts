/** Start, reload and end of an agent on a node whose only pod has just ended. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { needs } from '../../rig/needs.ts'
import { type Agent, startAgent } from '../../src/agent/agent.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { EXIT_DONE, EXIT_RUNTIME, EXIT_USAGE, InterceptorError } from '../../src/errors.ts'
import { createLogger } from '../../src/log/logger.ts'
import { FakeProc, HOST_NETNS, podNetwork } from '../discovery/fake-proc.ts'
import { assertLaws } from '../support/ledger.ts'
import { descriptors } from '../support/target-rig.ts'

const skip = needs('linux', 'root')

type Settings = Record<string, string>

class Rig {
  readonly lines: string[] = []
  settings: Settings
  readonly #proc: FakeProc

  constructor(t: TestContext, settings: Settings = {}) {
    this.#proc = FakeProc.create(t, {
      pid: 100,
      command: ['nginx'],
      netns: HOST_NETNS + 1,
      cgroup: `/kubepods/pod00000000-0000-4000-8000-000000000001/${'ab'.repeat(32)}`,
      network: podNetwork(1),
    })
    this.settings = settings
  }

  load(): LoadedConfig {
    const env = {
      INTERCEPTOR_TARGETS_PROC_ROOT: this.#proc.root,
      INTERCEPTOR_SHIP_SINK: 'none',
      INTERCEPTOR_KUBERNETES_ENABLED: 'false',
      INTERCEPTOR_TAP_SOCKET: '',
      INTERCEPTOR_ADMIN_ADDRESS: '127.0.0.1:0',
      ...this.settings,
    }
    return loadConfig({ env })
  }

  async start(t: TestContext): Promise<Agent> {
    const agent = await startAgent({
      loaded: this.load(),
      file: undefined,
      load: async () => this.load(),
      output: { format: 'none', file: null, decode: false, color: false, width: null, verbose: false },
      log: createLogger({ level: 'info', form: 'json', foldMs: 0, write: (line) => this.lines.push(line) }),
    })
    t.after(async () => {
      agent.stop()
      await agent.done
    })
    return agent
  }

  /** Where metrics and health are served. */
  get url(): string {
    return /"url":"([^"]+)"/.exec(this.lines.join())?.[1] ?? assert.fail(this.lines.join('\n'))
  }
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(5)
}

test('Agent: serves its state, and ends when it is drained', { skip }, async (t) => {
  const rig = new Rig(t, { INTERCEPTOR_NODE_NAME: 'n7' })
  const agent = await rig.start(t)
  await until(() => agent.state().start.done)
  const { node, discovery, tapSocket, draining } = agent.state()
  assert.deepEqual([node, discovery?.processes, tapSocket, draining], ['n7', 2, null, false])
  assert.equal((await fetch(new URL('/livez', rig.url))).status, 200)
  agent.drain()
  assert.equal(agent.state().draining, true)
  const outcome = await agent.done
  assertLaws(outcome.ledger)
  assert.deepEqual([outcome.exitCode, outcome.failure], [EXIT_DONE, null])
  await assert.rejects(fetch(rig.url))
  assert.equal(process.listenerCount('SIGHUP'), 0)
})

test('Agent: ends if it is stopped right after its start', { skip }, async (t) => {
  const agent = await new Rig(t).start(t)
  agent.stop()
  const outcome = await agent.done
  assertLaws(outcome.ledger)
  assert.equal(agent.state().draining, true)
})

test('Agent: fails to start if the admin address is in use, and leaves nothing running', { skip }, async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const before = descriptors()
  const start = new Rig(t, { INTERCEPTOR_ADMIN_ADDRESS: `127.0.0.1:${port}` }).start(t)
  await assert.rejects(start, (error) => error instanceof InterceptorError && error.exitCode === EXIT_RUNTIME)
  assert.equal(process.listenerCount('SIGHUP'), 0)
  assert.ok(descriptors() <= before, `${descriptors()} descriptors, ${before} before`)
})

test('Agent: rejects invalid rules before it starts anything', { skip }, async (t) => {
  const rig = new Rig(t, { INTERCEPTOR_TARGETS_SELECTOR: 'a in b' })
  await assert.rejects(rig.start(t), (error) => error instanceof InterceptorError && error.exitCode === EXIT_USAGE)
  assert.deepEqual(rig.lines, [])
})

test('Agent: a reload changes rules and log level; an invalid one changes nothing', {
  skip,
}, async (t) => {
  const rig = new Rig(t)
  const agent = await rig.start(t)
  await until(() => agent.state().discovery?.pods.some(({ captured }) => captured) === true)
  const reload = async (settings: Settings): Promise<void> => {
    const reloads = (): number => agent.state().reload.applied + agent.state().reload.refused
    const before = reloads()
    rig.settings = settings
    process.emit('SIGHUP', 'SIGHUP')
    await until(() => reloads() > before)
  }
  await reload({ INTERCEPTOR_LOG_LEVEL: 'warn', INTERCEPTOR_TARGETS_SELECTOR: 'a in b' })
  assert.deepEqual([agent.state().reload.refused, agent.state().reload.lastSuccessful], [1, false])
  await reload({ INTERCEPTOR_TARGETS_SELECTOR: 'app=shop' })
  assert.deepEqual([agent.state().reload.applied, agent.state().reload.lastSuccessful], [1, true])
  assert.match(rig.lines.join(), /configuration reloaded/)
  await until(() => agent.state().discovery?.pods.every(({ captured }) => !captured) === true)
  await reload({ INTERCEPTOR_LOG_LEVEL: 'error', INTERCEPTOR_TARGETS_EXCLUDE_PORTS: '82' })
  assert.equal(agent.state().reload.applied, 2)
  const lines = rig.lines.length
  await reload({ INTERCEPTOR_LOG_LEVEL: 'error' })
  assert.equal(rig.lines.length, lines)
})
