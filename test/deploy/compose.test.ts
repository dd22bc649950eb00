import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config.ts'
import { agentPod, render, valueSet } from '../support/chart.ts'
import { needsKubeTools, ROOT } from '../support/kube-tools.ts'

interface Service {
  image: string
  command?: string[]
  entrypoint?: string[]
  network_mode?: string
  environment?: Record<string, string>
  cap_add?: string[]
  cap_drop?: string[]
  security_opt?: string[]
  read_only?: boolean
  user?: string
  volumes?: string[]
  stop_grace_period?: string
}

const { services } = parse(readFileSync(join(ROOT, 'deploy/compose.yaml'), 'utf8'), { merge: true }) as {
  services: Record<'kafka' | 'agent' | 'shop' | 'tail', Service>
}

test('compose: agent and tail take their configuration, and mean the broker that is there', () => {
  const { KAFKA_ADVERTISED_LISTENERS: listeners = '' } = services.kafka.environment ?? {}
  for (const { environment = {} } of [services.agent, services.tail]) {
    const { kafka, targets, capture } = loadConfig({ env: environment }).config
    assert.deepEqual([`PLAINTEXT://${kafka.brokers.join()}`, kafka.createTopic], [listeners, true])
    assert.deepEqual([targets.procRoot, capture.interfaces], ['/host/proc', ['lo']])
  }
})

test('compose: the agent has the privileges of the chart’s', { skip: needsKubeTools() }, () => {
  const { securityContext } = agentPod(render(...valueSet('minimal'))).spec.containers[0]
  const { agent } = services
  assert.deepEqual({ drop: agent.cap_drop, add: agent.cap_add }, securityContext['capabilities'])
  assert.deepEqual([agent.user, agent.read_only], ['0:0', securityContext['readOnlyRootFilesystem']])
  assert.deepEqual(agent.security_opt, ['no-new-privileges:true', 'apparmor:unconfined'])
  assert.deepEqual(agent.volumes, ['/proc:/host/proc:ro'])
})

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The shop as its service runs it. */
async function openShop(t: TestContext): Promise<string> {
  const port = await freePort()
  const script = services.shop.volumes?.[0]?.split(':')[0] ?? ''
  const child = spawn(process.execPath, [join(ROOT, 'deploy', script), String(port)])
  t.after(async () => {
    const exited = once(child, 'exit')
    child.kill()
    await exited
  })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  assert.match(said.toString(), /the shop is open/)
  return `http://127.0.0.1:${port}`
}

test('compose: the shop answers in JSON, which the default rules keep', async (t) => {
  const shop = await openShop(t)
  const goods = await fetch(`${shop}/goods`)
  assert.deepEqual([goods.status, goods.headers.get('content-type')], [200, 'application/json'])
  const order = await fetch(`${shop}/orders`, { method: 'POST', body: '{"name":"bread","pieces":1}' })
  assert.equal(order.status, 201)
  assert.equal(((await order.json()) as { name: string }).name, 'bread')
})
