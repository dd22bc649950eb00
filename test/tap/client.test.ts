import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { EXIT_RUNTIME, InterceptorError } from '../../src/errors.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { TapClient } from '../../src/tap/client.ts'
import { PROTOCOL, textFrame } from '../../src/tap/frames.ts'
import { makePair } from '../ship/support.ts'

const skip = process.platform === 'win32' ? 'unix sockets' : false

function pathFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tap-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 's')
}

/** A program that listens on an agent's socket path. */
async function listen(t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const path = pathFor(t)
  const server = createServer((socket) => serve(socket.on('error', () => {})))
  server.listen(path)
  await once(server, 'listening')
  t.after(() => server.close())
  return path
}

const isRuntime = (message: RegExp) => (error: unknown) =>
  error instanceof InterceptorError && error.exitCode === EXIT_RUNTIME && message.test(error.message)

test('tap client: names the path if there is no agent, and suggests how to reach one', { skip }, async (t) => {
  const missing = pathFor(t)
  const file = pathFor(t)
  writeFileSync(file, '')
  for (const path of [missing, file]) {
    await assert.rejects(TapClient.connect(path), (error) => {
      assert.ok(isRuntime(/^there is no agent at \/.*: nothing listens there$/)(error))
      assert.match(String((error as InterceptorError).hint), /kubectl exec .* --agent PATH/)
      return true
    })
  }
})

test('tap client: rejects another program, even one that closes the connection', { skip }, async (t) => {
  const servers = [
    (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    (socket: Socket) => socket.end(),
    (socket: Socket) => socket.end(textFrame('interceptor.tap/2')),
    (socket: Socket) => socket.end(Buffer.from([0, 0, 0, 1, 0x80])),
  ]
  for (const serve of servers) {
    await assert.rejects(TapClient.connect(await listen(t, serve)), isRuntime(/another program, or another version/))
  }
})

test('tap client: rejects an agent that later sends something else', { skip }, async (t) => {
  const path = await listen(t, (socket) => socket.end(Buffer.concat([textFrame(PROTOCOL), Buffer.alloc(8)])))
  const client = await TapClient.connect(path)
  await assert.rejects(client.batches(new AbortController().signal).next(), isRuntime(/another program/))
})

test('tap client: ends at once when it is aborted, while it waits and while it has pairs', { skip }, async (t) => {
  const pair = packPair(makePair(1))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(pair.length)
  const path = await listen(t, (socket) => socket.write(Buffer.concat([textFrame(PROTOCOL), length, pair])))
  const abort = new AbortController()
  const client = await TapClient.connect(path)
  const seen: number[] = []
  setTimeout(() => abort.abort(), 50)
  for await (const { pairs } of client.batches(abort.signal)) seen.push(pairs.length)
  assert.deepEqual(seen, [1])
})
