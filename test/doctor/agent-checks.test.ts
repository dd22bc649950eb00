import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { agentChecks } from '../../src/doctor/agent-checks.ts'
import type { Check } from '../../src/doctor/check.ts'

async function checks(change: (config: ReturnType<typeof defaultConfig>) => void): Promise<Check[]> {
  const config = defaultConfig()
  config.kubernetes.enabled = 'auto'
  change(config)
  const all: Check[] = []
  for await (const check of agentChecks(config)) all.push(check)
  return all
}

const inPod = process.env['KUBERNETES_SERVICE_HOST'] !== undefined && 'this is a pod'

test('agentChecks: find this host’s pods and skip the API server', {
  skip: needs('linux', 'root') || inPod,
}, async () => {
  const [pods, api] = await checks(() => {})
  assert.equal(pods?.state, 'ok')
  assert.match(pods.found, /^\d+ pods in \d+ processes of \/proc$/)
  assert.equal(api?.state, 'skipped')
})

test('agentChecks: name a directory that is not a proc filesystem, and its key', { skip: inPod }, async () => {
  const [pods] = await checks((config) => {
    config.targets.procRoot = '/nowhere'
  })
  assert.equal(pods?.state, 'warning')
  assert.match(pods.found, /\/nowhere/)
  assert.match(pods.hint ?? '', /targets\.procRoot/)
})

test('agentChecks: report an API server that is unreachable', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  await new Promise((resolve) => server.close(resolve))
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-doctor-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const kubeconfig = join(folder, 'config')
  writeFileSync(
    kubeconfig,
    `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
      clusters: [{name: c, cluster: {server: "http://127.0.0.1:${port}"}}], users: [{name: u, user: {token: x}}]}`,
  )
  const [, api] = await checks((config) => {
    config.kubernetes.kubeconfig = kubeconfig
  })
  assert.equal(api?.state, 'failed')
  assert.match(api.found, /list pods.*ECONNREFUSED/)
})
