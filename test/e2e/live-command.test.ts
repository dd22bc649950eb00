/**
 * `interceptor capture` as a user runs it: it prints pairs of real traffic, and after Ctrl-C prints all remaining pairs
 * before it ends.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { needs } from '../../rig/needs.ts'
import { PROGRAM } from '../../rig/root.ts'
import type { FunnelView, TargetsView, UiState } from '../../src/ui/protocol.ts'

const REQUESTS = 50
/** Longer than the heartbeat timeout (worker-slot.ts). */
const HANG_MS = 3_500
/** A thread that seems to hang would be replaced within this time. */
const WATCHED_MS = 500

async function serve(t: TestContext): Promise<number> {
  const server: Server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ target: request.url }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

function request(port: number, target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ port, path: target, agent: false }, (response) => response.resume().on('end', resolve)).on('error', reject)
  })
}

/** Enough buffer for all of a test's frames, however long the capturing process waits for a CPU. */
const env = { ...process.env, INTERCEPTOR_CAPTURE_RING_BYTES: '32MiB', INTERCEPTOR_CAPTURE_WARM_UP: 'false' }

interface Command {
  process: ChildProcess
  /** Request targets of the pairs so far. */
  targets: () => string[]
  log: () => string
}

/** A separate process group, as created by a terminal. */
function capture(t: TestContext, args: string[]): Command {
  const process_ = spawn(process.execPath, [PROGRAM, 'capture', '-o', 'ndjson', ...args], { detached: true, env })
  t.after(() => process_.kill('SIGKILL'))
  let text = ''
  process_.stdout.on('data', (chunk) => {
    text += String(chunk)
  })
  let log = ''
  process_.stderr.on('data', (chunk) => {
    log += String(chunk)
  })
  const targets = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).request.target as string)
  return { process: process_, targets, log: () => log }
}

/** Sends requests until the first one is captured, because the start of capture is not exactly known. */
async function untilCaptured({ process: command, targets }: Command, port: number): Promise<void> {
  while (targets().length === 0) {
    assert.equal(command.exitCode, null, 'it captures')
    await request(port, '/early')
    await sleep(50)
  }
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `/${from + index}`)

/** Ends the program with Ctrl-C. @returns the targets of all pairs after the first ones */
async function interrupt({ process: command, targets }: Command): Promise<string[]> {
  process.kill(-command.pid!, 'SIGINT')
  const [code] = await once(command, 'close')
  assert.equal(code, 0)
  return targets().filter((target) => target !== '/early')
}

for (const source of ['af-packet', 'cap']) {
  for (const device of ['lo', 'any']) {
    test(`capture command: ${source} on ${device}, ended by Ctrl-C`, {
      skip: needs('root', 'libpcap', ...(source === 'cap' ? (['cap'] as const) : [])),
    }, async (t) => {
      const port = await serve(t)
      const command = capture(t, ['-i', device, '--source', source, 'port', String(port)])
      await untilCaptured(command, port)
      for (const target of numbered(0, REQUESTS)) await request(port, target)
      assert.deepEqual((await interrupt(command)).sort(), numbered(0, REQUESTS).sort())
    })
  }
}

test('capture command: stopped (SIGSTOP) for longer than the heartbeat timeout and continued, it loses nothing and replaces no thread', {
  skip: needs('root', 'libpcap'),
}, async (t) => {
  const port = await serve(t)
  const command = capture(t, ['-i', 'lo', 'port', String(port)])
  await untilCaptured(command, port)
  command.process.kill('SIGSTOP')
  for (const target of numbered(0, REQUESTS)) await request(port, target)
  await sleep(HANG_MS)
  command.process.kill('SIGCONT')
  for (const target of numbered(REQUESTS, 2 * REQUESTS)) await request(port, target)
  await sleep(WATCHED_MS)
  assert.deepEqual((await interrupt(command)).sort(), numbered(0, 2 * REQUESTS).sort())
  assert.doesNotMatch(command.log(), /restarted|warning/)
})

test('capture command: names the pairs that a slow reader of its output cost, and exits with 1', {
  skip: needs('root', 'libpcap'),
}, async (t) => {
  const port = await serve(t)
  const small = ['limits.pairBytes=64KiB', 'ship.batchBytes=64KiB', 'ship.bufferBytes=64KiB']
  const settings = small.flatMap((setting) => ['--set', setting])
  const args = [PROGRAM, 'capture', '-o', 'ndjson', '--summary', '-', ...settings, '-i', 'lo', 'port', String(port)]
  const command = spawn(process.execPath, args, { env })
  t.after(() => command.kill('SIGKILL'))
  let log = ''
  command.stderr.on('data', (chunk) => {
    log += String(chunk)
  })
  // Nobody reads its output yet.
  const long = `/${'x'.repeat(4096)}`
  while (!log.includes('over ship.bufferBytes')) {
    assert.equal(command.exitCode, null, log)
    await Promise.all(Array.from({ length: 16 }, () => request(port, long)))
  }
  let lines = 0
  command.stdout.on('data', (chunk) => {
    lines += String(chunk).split('\n').length - 1
  })
  command.kill('SIGINT')
  const [code] = await once(command, 'close')
  const { pairs } = JSON.parse(/^\{.*\}$/m.exec(log)![0])
  const lost = pairs.dropped.bufferBytes as number
  assert.ok(lost > 0)
  assert.equal(pairs.shipped, lines)
  assert.equal(code, 1, log)
  const shown = lost.toLocaleString('en-US')
  assert.ok(log.includes(`dropped (bufferBytes ${shown}`), log)
  assert.ok(log.endsWith(`interceptor: ${shown} pairs could not be written in time (ship.bufferBytes)\n`), log)
})

test('ui: shows the pairs of an interface, its ledger, and its traffic', {
  skip: needs('linux', 'root'),
}, async (t) => {
  const port = await serve(t)
  const target = `/${process.pid}/ui`
  const args = [PROGRAM, 'ui', '-i', 'lo', '--path', target, '--listen', '127.0.0.1:0']
  const command = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => command.kill('SIGKILL'))
  const [line] = (await once(command.stdout, 'data')) as [Buffer]
  const [base = '', token = ''] = line.toString().trim().split('/#token=')
  const read = async <T>(name: string): Promise<T> =>
    (await (await fetch(`${base}/api/${name}`, { headers: { authorization: `Bearer ${token}` } })).json()) as T
  while ((await read<UiState>('state')).seen === 0) await request(port, target)
  const { kind, title, ended } = await read<UiState>('state')
  assert.deepEqual([kind, title, ended], ['live', 'lo', false])
  const { of, rows } = await read<TargetsView>('targets')
  assert.deepEqual([of, rows.map(({ name }) => name)], ['interfaces', ['lo']])
  assert.ok(((await read<FunnelView>('ledger')).stages?.[0]?.in ?? 0) > 0)
  command.kill('SIGINT')
  assert.deepEqual(await once(command, 'exit'), [0, null])
})
