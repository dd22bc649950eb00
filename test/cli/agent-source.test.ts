import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { EXIT_PRIVILEGE, EXIT_RUNTIME, EXIT_USAGE } from '../../src/errors.ts'
import { droppedTo } from '../support/agent-container.ts'
import { run } from './support.ts'

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
    'the admin server',
    ['tail', '--agent', 'http://127.0.0.1:9464'],
    EXIT_USAGE,
    /not served over HTTP; name the tap.socket/,
  ],
  ['a switched-off tap', ['tail', '--agent', '--set', 'tap.socket='], EXIT_USAGE, /tap.socket is empty/],
  [
    'no agent',
    ['openapi', '--agent', NOWHERE],
    EXIT_RUNTIME,
    /there is no agent at \/nowhere\/tap.sock: nothing listens there/,
  ],
]

for (const [what, args, expected, message] of faults) {
  test(`agent source: refuses ${what}`, async () => {
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

test('agent source: the socket of another user is refused, with the reason', {
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
  // Root without root's capabilities, as in a container: an ordinary user that can read the program.
  const { code, stderr } = await run(['tail', '--agent', socket], { under: droppedTo([]) })
  assert.equal(code, EXIT_PRIVILEGE)
  assert.match(stderr, /may be opened by the agent's own user only\nRun it as that user/)
})
