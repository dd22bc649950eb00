/** `pods --traffic` of a real agent explains why pods whose connections are not plaintext HTTP have no pairs. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig, type RigPod } from '../../rig/node-rig.ts'
import { killAtExit } from '../../rig/process-tree.ts'
import type { PodsPage } from '../../src/admin/pod-traffic.ts'
import { EXIT_DONE } from '../../src/errors.ts'
import { run } from '../cli/support.ts'
import { AgentRig, isListening, until } from '../support/agent-rig.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup')
const PORT = 8443
/** Time for the agent to read the traffic. */
const WAIT_MS = 30_000

const TLS_ADVICE = '3 connections, all TLS to api.example.com: plaintext is not on eth0'
const HTTP2_ADVICE = '3 connections, all HTTP/2, which is not parsed'

/** Accepts an upgrade to WebSocket; reads everything else and does not respond. */
const SERVER = `
require('net').createServer((socket) => {
  socket.on('error', () => {}).on('data', (data) => {
    if (!String(data).startsWith('GET ')) return
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n')
    socket.write(Buffer.from([0x81, 2, 0x68, 0x69]))
  })
}).listen(${PORT}, '0.0.0.0')`

/** Three connections of one kind to an address, which end soon after. */
const CLIENT = `
const [kind, host] = process.argv.slice(1)
const first = {
  http2: 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0',
  websocket: 'GET /socket HTTP/1.1\\r\\nHost: a\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n',
}
for (let n = 0; n < 3; n++) {
  const socket = kind === 'tls'
    ? require('tls').connect({ host, port: ${PORT}, servername: 'api.example.com' })
    : require('net').connect(${PORT}, host, () => socket.write(first[kind]))
  socket.on('error', () => {})
  setTimeout(() => socket.destroy(), 300)
}`

async function connect(from: RigPod, to: RigPod, kind: string): Promise<void> {
  const words = [
    'ip',
    'netns',
    'exec',
    from.namespace?.name ?? '',
    process.execPath,
    '-e',
    CLIENT,
    kind,
    to.addresses[0] ?? '',
  ]
  const child = killAtExit(spawn(words[0] ?? '', words.slice(1), { stdio: 'inherit' }))
  await once(child, 'exit')
}

test('pods --traffic: one sentence explains why pods with TLS, HTTP/2, WebSocket or no traffic have no pairs', {
  skip,
}, async (t) => {
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const [client, tls, http2, websocket, silent] = Array.from({ length: 5 }, () => rig.pod())
  await client.run('client')
  await silent.run('sleeper')
  const servers = [tls, http2, websocket]
  for (const pod of servers) {
    const { pid } = await pod.run('server', { program: [process.execPath, '-e', SERVER] })
    await until(`the port of pod ${pod.uid}`, () => isListening(pid, PORT))
  }
  const pods = [client, silent, ...servers]
  const agent = await AgentRig.create(
    t,
    pods.map(({ namespace }) => namespace!),
  )
  await Promise.all([
    connect(client, tls, 'tls'),
    connect(client, http2, 'http2'),
    connect(client, websocket, 'websocket'),
  ])
  const ask = async (): Promise<PodsPage['pods']> => {
    const { code, stdout, stderr } = await run(['pods', '--traffic', '-o', 'json', '--agent', agent.url])
    assert.equal(code, EXIT_DONE, stderr)
    return (JSON.parse(stdout) as PodsPage).pods
  }
  const of = (page: PodsPage['pods'], { uid }: RigPod) => page.find((pod) => pod.uid === uid)
  let page = await ask()
  const adviceOf = (pod: RigPod): string => of(page, pod)?.advice ?? ''
  const isComplete = (): boolean =>
    adviceOf(tls) === TLS_ADVICE &&
    adviceOf(http2) === HTTP2_ADVICE &&
    of(page, websocket)?.connections['upgraded'] === 3
  for (const endMs = Date.now() + WAIT_MS; !isComplete() && Date.now() < endMs; ) page = await ask()
  assert.equal(adviceOf(tls), TLS_ADVICE)
  assert.deepEqual(of(page, tls)?.serverNames, { 'api.example.com': 3 })
  assert.equal(adviceOf(http2), HTTP2_ADVICE)
  assert.equal(of(page, websocket)?.connections['upgraded'], 3)
  assert.match(adviceOf(silent), /^(?:no frames on eth0|\d+ frames? and no TCP connection on eth0): /)
  assert.equal(await agent.end(), EXIT_DONE)
})
