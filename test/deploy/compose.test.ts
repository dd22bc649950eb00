import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { reservePorts } from '../../rig/ports.ts'
import { loadConfig } from '../../src/config/load.ts'
import { agentPod, render, valueSet } from '../support/chart.ts'
import { readCompose, type Service, shopCommand } from '../support/compose.ts'

const { services, networks } = readCompose()

test('compose: agent and tail accept their configuration, which names the broker’s address', () => {
  const { KAFKA_ADVERTISED_LISTENERS: listeners = '' } = services.kafka.environment
  for (const { environment } of [services.agent, services.tail]) {
    const { kafka, targets, capture } = loadConfig({ env: environment }).config
    assert.deepEqual([`PLAINTEXT://${kafka.brokers.join()}`, kafka.createTopic], [listeners, true])
    const bridge = networks.shop.driver_opts['com.docker.network.bridge.name']
    assert.deepEqual([targets.procRoot, capture.interfaces], ['/host/proc', [bridge]])
  }
})

test('compose: the agent has the same privileges as in the chart', { skip: needsKubeTools() }, () => {
  const { securityContext } = agentPod(render(...valueSet('minimal'))).spec.containers[0]
  const { agent } = services
  assert.deepEqual({ drop: agent.cap_drop, add: agent.cap_add }, securityContext['capabilities'])
  assert.deepEqual([agent.user, agent.read_only], ['0:0', securityContext['readOnlyRootFilesystem']])
  assert.deepEqual(agent.security_opt, ['no-new-privileges:true', 'apparmor:unconfined'])
  assert.deepEqual(agent.volumes, ['/proc:/host/proc:ro'])
})

/** Starts shop.mjs as a service does, with another address. */
function startScript(t: TestContext, service: Service, where: string): ChildProcessByStdio<null, Readable, null> {
  const child = spawn(process.execPath, shopCommand(service, where), { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(async () => {
    const exited = once(child, 'exit')
    child.kill()
    await exited
  })
  return child
}

test('compose: the shop answers in JSON, which the default rules keep', async (t) => {
  const port = await reservePorts(1)
  await once(startScript(t, services.shop, String(port)).stdout, 'data')
  const goods = await fetch(`http://127.0.0.1:${port}/goods`)
  assert.deepEqual([goods.status, goods.headers.get('content-type')], [200, 'application/json'])
  const order = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', body: '{"name":"bread"}' })
  assert.equal(order.status, 201)
  assert.equal(((await order.json()) as { name: string }).name, 'bread')
})

test('compose: the customer requests goods and orders one', async (t) => {
  const asked: string[] = []
  const server = createHttpServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.end('{"goods":[{"name":"bread"}]}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  startScript(t, services.customer, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  while (asked.length < 2) await once(server, 'request')
  assert.deepEqual(asked.slice(0, 2), ['GET /goods', 'POST /orders'])
})

test('compose: the customer connects to the shop’s address', () => {
  const [, , , port] = services.shop.entrypoint ?? []
  assert.equal(services.customer.entrypoint?.at(-1), `http://${services.shop.networks?.['shop']?.ipv4_address}:${port}`)
})
