/**
 * Changes of filter, targets and log level while the agent runs, by SIGHUP and by its file; and the served state.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig } from '../../rig/node-rig.ts'
import { AgentRig, request, serveIn, uniquePath, until } from '../support/agent-rig.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup')
const PORT = 8080

/** A configuration file of the test's own. */
function configFile(t: TestContext): { path: string; write: (text: string) => void } {
  const folder = mkdtempSync(join(tmpdir(), 'reload-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'interceptor.yaml')
  return { path, write: (text) => writeFileSync(path, text) }
}

test('reload: applies other rules without a restart, and loses no flow', { skip }, async (t) => {
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const [client, server] = [rig.pod(), rig.pod()]
  await serveIn(server, PORT)
  const file = configFile(t)
  file.write('filter: { paths: [] }\n')
  const agent = await AgentRig.create(t, [server.namespace!], { args: ['--config', file.path] })
  const path = uniquePath()
  const url = `http://${server.addresses[0]}:${PORT}${path}`
  // One connection lasts over both reloads.
  const traffic = request(client.namespace, `${url}/steady`, 100, { pauseMs: 40 })
  await request(client.namespace, `${url}/left-out`, 1)
  await until('the first', () => agent.pairs(`${path}/left-out`).length === 1)
  file.write(`filter: { paths: [${path}/left-out/0] }\nlog: { level: debug }\n`)
  agent.child.kill('SIGHUP')
  await agent.logged('configuration reloaded', { changed: 'filter.paths, log.level' })
  await request(client.namespace, `${url}/left-out`, 1)
  file.write('targets: { excludePorts: [1] }\nkafka: { topic: other }\n')
  await agent.logged('configuration reloaded', { changed: 'filter.paths, targets.excludePorts, log.level' })
  await agent.logged('these keys take effect after a restart; their old values stay in effect', { keys: 'kafka.topic' })
  file.write('targets: { selector: "app in (" }\n')
  agent.child.kill('SIGHUP')
  await agent.logged('configuration not reloaded; the previous one stays in effect')
  await traffic
  await until('the last pair', () => agent.pairs(`${path}/steady/99`).length === 1)
  assert.equal(await agent.end(), 0)
  assert.equal(agent.pairs(`${path}/steady`).length, 100)
  assert.equal(agent.pairs(`${path}/left-out`).length, 1)
})

test('reload: SIGHUP while the agent starts or drains does not end it', { skip: needs('linux', 'root') }, async (t) => {
  const { path } = configFile(t)
  execFileSync('mkfifo', [path])
  const agent = AgentRig.under(t, [], { args: ['--config', path] })
  const config = await openWhenRead(path)
  agent.child.kill('SIGHUP')
  writeFileSync(config, 'log: { level: info }\n')
  closeSync(config)
  await agent.logged('metrics and health are served')
  // The signal was not ignored either: the configuration may have changed since it was read.
  await agent.logged('configuration not reloaded; the previous one stays in effect')
  agent.child.kill('SIGTERM')
  const exited = once(agent.child, 'exit')
  while (agent.child.exitCode === null && agent.child.signalCode === null) {
    agent.child.kill('SIGHUP')
    await sleep(1)
  }
  assert.deepEqual(await exited, [0, null])
})

/** Opens a FIFO once a program reads it. */
async function openWhenRead(path: string): Promise<number> {
  for (;;) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENXIO')
      await sleep(5)
    }
  }
}

test('agent: is ready once it captures, and its metrics count pods, interfaces and pairs', { skip }, async (t) => {
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const [client, server] = [rig.pod(), rig.pod()]
  await serveIn(server, PORT)
  const agent = await AgentRig.create(t, [server.namespace!])
  const path = uniquePath()
  await request(client.namespace, `http://${server.addresses[0]}:${PORT}${path}`, 5)
  await until('the pairs', () => agent.pairs(path).length >= 5)
  for (const page of ['livez', 'readyz']) {
    const response = await fetch(`${agent.url}/${page}`)
    assert.equal(response.status, 200, await response.text())
  }
  const metrics = await (await fetch(`${agent.url}/metrics`)).text()
  assert.match(metrics, /^interceptor_pods\{mesh="none",captured="true",reason="interface"\} [1-9]/m)
  assert.match(metrics, /^interceptor_discovery_scans_total [1-9]/m)
  assert.match(metrics, new RegExp(`pod="${server.uid}"`))
  assert.equal(await agent.end(), 0)
})
