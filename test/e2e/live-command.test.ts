/** `interceptor capture` as a user runs it: it prints pairs of real traffic, and Ctrl-C ends it after all of them. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { PROGRAM } from '../../rig/root.ts'

const REQUESTS = 50

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

/** Room for all of a test's frames, however long the capturing process has to wait for a CPU. */
const env = { ...process.env, INTERCEPTOR_CAPTURE_RING_BYTES: '32MiB' }

/** A process group of its own, as a terminal makes for a command. */
function capture(t: TestContext, args: string[]): { process: ChildProcess; targets: () => string[] } {
  const process_ = spawn(process.execPath, [PROGRAM, 'capture', '-o', 'ndjson', ...args], { detached: true, env })
  t.after(() => process_.kill('SIGKILL'))
  let text = ''
  process_.stdout.on('data', (chunk) => {
    text += String(chunk)
  })
  const targets = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).request.target as string)
  return { process: process_, targets }
}

for (const source of ['af-packet', 'cap']) {
  for (const device of ['lo', 'any']) {
    test(`capture command: ${source} on ${device}, ended by Ctrl-C`, {
      skip: needs('root', 'libpcap', ...(source === 'cap' ? (['cap'] as const) : [])),
    }, async (t) => {
      const port = await serve(t)
      const { process: command, targets } = capture(t, ['-i', device, '--source', source, 'port', String(port)])
      // It captures from some moment on; requests are sent until the first is seen.
      while (targets().length === 0) {
        assert.equal(command.exitCode, null, 'it captures')
        await request(port, '/early')
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      for (let i = 0; i < REQUESTS; i++) await request(port, `/${i}`)
      process.kill(-command.pid!, 'SIGINT')
      const [code] = await once(command, 'close')
      assert.equal(code, 0)
      const numbered = targets().filter((target) => target !== '/early')
      assert.deepEqual(numbered.sort(), Array.from({ length: REQUESTS }, (_, i) => `/${i}`).sort())
    })
  }
}
