import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { serveAdmin } from '../../src/admin/server.ts'
import { EXIT_PRIVILEGE, EXIT_RUNTIME, EXIT_USAGE } from '../../src/errors.ts'
import { FoldedLog } from '../../src/log/folded-log.ts'
import { createLogger } from '../../src/log/logger.ts'
import { ShipStatus } from '../../src/ship/status.ts'
import { Tap } from '../../src/ship/tap/tap.ts'
import { agentState } from '../admin/agent-state.ts'
import { droppedTo } from '../support/agent-container.ts'
import { finish, run, start } from './support.ts'

const NOWHERE = '/nowhere/tap.sock'

const faults: [string, string[], number, RegExp][] = [
  ['an agent and a topic', ['tail', '--agent', '--topic', 'x'], EXIT_USAGE, /--agent and --topic exclude each other/],
  ['an agent and a place in the topic', ['tail', '--agent', '--from', '10m'], EXIT_USAGE, /--agent and --from exclude/],
  [
    'an agent and --no-follow',
    ['top', '--agent', NOWHERE, '--no-follow'],
    EXIT_USAGE,
    /--agent and --no-follow exclude/,
  ],
  ['an agent and a file', ['top', '--agent', NOWHERE, 'a.pcap'], EXIT_USAGE, /there is more than one source/],
  [
    'a URL where nothing listens',
    ['tail', '--agent', 'http://127.0.0.1:1'],
    EXIT_RUNTIME,
    /there is no agent at http:\/\/127\.0\.0\.1:1: /,
  ],
  ['a URL that is not HTTP', ['top', '--agent', 'https://127.0.0.1:1'], EXIT_USAGE, /is not a URL such as http:/],
  ['a switched-off tap', ['tail', '--agent', '--set', 'tap.socket='], EXIT_USAGE, /tap.socket is empty/],
  [
    'no agent',
    ['openapi', '--agent', NOWHERE],
    EXIT_RUNTIME,
    /there is no agent at \/nowhere\/tap.sock: nothing listens there/,
  ],
]

for (const [what, args, expected, message] of faults) {
  test(`agent source: rejects ${what}`, async () => {
    const { code, stdout, stderr } = await run(args)
    assert.deepEqual([code, stdout], [expected, ''])
    assert.match(stderr, message)
  })
}

test('agent source: without an agent and without options, tail reads the configured topic', async () => {
  const settings = ['--set', `tap.socket=${NOWHERE}`, '--set', 'kafka.brokers=127.0.0.1:1']
  const { code, stderr } = await run(['tail', ...settings], { env: { INTERCEPTOR_KAFKA_TOPIC: 'pairs' } })
  assert.equal(code, EXIT_RUNTIME)
  assert.match(stderr, /cannot read the topic pairs at 127.0.0.1:1/)
})

test("agent source: a selection from an agent comes with a line about the agent's own rules", {
  skip: process.platform === 'win32' && 'unix sockets',
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-rules-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const rules = /^only pairs that the agent's own rules let through can be selected: .*4xx or 5xx/m
  for (const selection of [['--status', '5xx'], ['--grep', 'x'], []]) {
    const path = join(folder, 'tap.sock')
    const tap = await Tap.open(path, new ShipStatus(ShipStatus.allocate()), new FoldedLog(() => {}, { periodMs: 1 }))
    const child = start(['tail', '--agent', path, ...selection])
    child.stderr!.once('data', () => void tap.close())
    const { stderr } = await finish(child)
    assert.equal(rules.test(stderr), selection.length > 0, stderr)
  }
})

/** An admin server whose tap is at a socket. */
async function adminWith(t: TestContext, tapSocket: string | null): Promise<string> {
  const log = createLogger({ level: 'error', form: 'lines', write: () => {} })
  const server = await serveAdmin('127.0.0.1:0', () => agentState({ tapSocket }), log)
  t.after(() => server?.close())
  return server?.url ?? ''
}

test('agent source: the admin server at a URL names the socket', async (t) => {
  const url = await adminWith(t, NOWHERE)
  const { code, stderr } = await run(['tail', '--agent', url])
  assert.equal(code, EXIT_RUNTIME)
  assert.match(stderr, /there is no agent at \/nowhere\/tap\.sock: nothing listens there/)
  const off = await run(['tail', '--agent', await adminWith(t, null)])
  assert.equal(off.code, EXIT_USAGE)
  assert.match(off.stderr, /tap\.socket is empty/)
})

test('agent source: rejects the socket of another user, with the reason', {
  skip: needs('linux', 'root', 'setpriv'),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tap-'))
  const socket = join(folder, 'tap.sock')
  const server = createServer().listen(socket)
  t.after(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })
  await once(server, 'listening')
  chmodSync(socket, 0o600)
  chownSync(socket, 65_532, 65_532)
  // Root without capabilities, as in a container: like an ordinary user, except that it can read the program.
  const { code, stderr } = await run(['tail', '--agent', socket], { under: droppedTo([]) })
  assert.equal(code, EXIT_PRIVILEGE)
  assert.match(stderr, /may be opened by the agent's own user only\nRun it as that user/)
})
