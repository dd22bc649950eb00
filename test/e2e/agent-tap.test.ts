/** Commands that show what a running agent ships, `tail --agent` and `top --agent`, with a real agent. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig } from '../../rig/node-rig.ts'
import { EXIT_DONE, EXIT_RUNTIME } from '../../src/errors.ts'
import type { FunnelView, TargetsView, UiState } from '../../src/ui/protocol.ts'
import { finish, run, start } from '../cli/support.ts'
import { AgentRig, request, type SeenPair, serveIn, uniquePath, until } from '../support/agent-rig.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup')
const PORT = 8080

/** Waits until a command reads the agent. */
async function attached(child: ChildProcess): Promise<ChildProcess> {
  const [line] = (await once(child.stderr!, 'data')) as [Buffer]
  assert.match(line.toString(), /^showing the pairs that the agent ships/)
  return child
}

/** @returns how many records of the log have this message, including those that were folded */
function logged(log: string, message: string): number {
  const records = log
    .split('\n')
    .filter((line) => line.includes(message))
    .map((line) => JSON.parse(line) as { repeated?: number })
  return records.reduce((sum, { repeated = 0 }) => sum + 1 + repeated, 0)
}

test('tap: tail and top show the pairs that an agent ships, and select among them', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-tap-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'tap.sock')
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const [client, server] = [rig.pod(), rig.pod()]
  await client.run('client')
  await serveIn(server, PORT)
  const agent = await AgentRig.create(t, [client.namespace!, server.namespace!], { settings: [`tap.socket=${socket}`] })
  const path = uniquePath()
  const own = ['--path', `${path}/**`]
  const commands = [
    // As in a pod, where the configuration also names brokers: a running agent is preferred.
    ['tail', ...own, '-o', 'ndjson', '-c', '20', '--set', `tap.socket=${socket}`, '--set', 'kafka.brokers=127.0.0.1:1'],
    ['tail', '--agent', socket, '--where', `request.path == "${path}/7"`, '-o', 'curl'],
    ['top', '--agent', agent.url, ...own, '--once', '-o', 'json', '-c', '20'],
  ]
  const [lines, curl, top] = await Promise.all(commands.map((args) => attached(start(args))))
  const ended = [lines, curl, top].map(finish)
  await request(client.namespace, `http://${server.addresses[0]}:${PORT}${path}`, 20)
  await until('the pairs', () => agent.pairs(path).length >= 20)
  assert.equal(await agent.end(), EXIT_DONE)
  assert.equal(logged(agent.log, 'a reader is connected to the tap'), commands.length)
  const [tail, pasted, table] = await Promise.all(ended)
  const pairs = tail.stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as SeenPair)
  assert.deepEqual(pairs, agent.pairs(path))
  assert.match(pasted.stdout, new RegExp(`^# GET ${path}/7: 200 OK .*\\ncurl http://[^ ]*${path}/7 `))
  // This reader has no limit, and ends with the agent.
  assert.match(pasted.stderr, /the agent has stopped\n$/)
  const { rows, notShown } = JSON.parse(table.stdout) as { rows: { requests: number }[]; notShown: number }
  assert.deepEqual([rows.map(({ requests }) => requests), notShown], [[20], 0])
  assert.deepEqual([tail.code, pasted.code, table.code], [EXIT_DONE, EXIT_DONE, EXIT_DONE])
  const gone = await run(['tail', '--agent', socket])
  assert.deepEqual(
    [gone.code, gone.stderr.split('\n')[0]],
    [EXIT_RUNTIME, `interceptor: there is no agent at ${socket}: nothing listens there`],
  )
})

test('tap: ui shows the pairs that an agent ships, its ledger, and its pods', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-ui-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'tap.sock')
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const [client, server] = [rig.pod(), rig.pod()]
  await client.run('client')
  await serveIn(server, PORT)
  const agent = await AgentRig.create(t, [client.namespace!, server.namespace!], { settings: [`tap.socket=${socket}`] })
  const path = uniquePath()
  const child = start(['ui', '--agent', agent.url, '--path', `${path}/**`, '--listen', '127.0.0.1:0'])
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  const [base = '', token = ''] = line.toString().trim().split('/#token=')
  const get = async <T>(name: string): Promise<T> =>
    (await (await fetch(`${base}/api/${name}`, { headers: { authorization: `Bearer ${token}` } })).json()) as T
  const isAttached = async (): Promise<boolean> =>
    /^interceptor_tap_readers 1$/m.test(await (await fetch(`${agent.url}/metrics`)).text())
  while (!(await isAttached())) await new Promise((resolve) => setTimeout(resolve, 20))
  await request(client.namespace, `http://${server.addresses[0]}:${PORT}${path}`, 20)
  while ((await get<UiState>('state')).seen < 20) await new Promise((resolve) => setTimeout(resolve, 20))
  // The tap shows a pair before the sink has confirmed it.
  while (((await get<FunnelView>('ledger')).stages?.at(-1)?.out ?? 0) < 20) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { of, rows } = await get<TargetsView>('targets')
  assert.equal(of, 'pods')
  assert.ok(rows.some(({ kept, advice }) => kept >= 20 && advice !== ''))
  assert.equal(await agent.end(), EXIT_DONE)
  while (!(await get<UiState>('state')).ended) await new Promise((resolve) => setTimeout(resolve, 20))
})
