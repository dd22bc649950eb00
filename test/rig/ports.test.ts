import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { reservePorts } from '../../rig/ports.ts'

/** Distance between blocks of ports. */
const BLOCK = 32

async function listen(t: TestContext, port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
}

/** Makes sure that a port is in use, by this process or another one. */
const occupy = (t: TestContext, port: number): Promise<void> =>
  listen(t, port).catch((error: NodeJS.ErrnoException) => assert.equal(error.code, 'EADDRINUSE'))

test('ports: a server can listen on each of them', async (t) => {
  const first = await reservePorts(BLOCK - 1)
  for (let port = first; port < first + BLOCK - 1; port += 1) await listen(t, port)
})

test('ports: lie below the ports of outgoing connections', async () => {
  const first = await reservePorts(BLOCK - 1)
  assert.ok(first >= 1024 && first + BLOCK - 1 <= 32_768, `${first}`)
})

test('ports: of another block if a program listens on one of them', async (t) => {
  const before = await reservePorts(2)
  await occupy(t, before + BLOCK + 1)
  assert.notEqual(await reservePorts(2), before + BLOCK)
})

test('ports: of another block if a process has reserved it, which listens on the port before its first one', async (t) => {
  const before = await reservePorts(2)
  await occupy(t, before + BLOCK - 1)
  assert.notEqual(await reservePorts(2), before + BLOCK)
})

test('ports: no more than fit a block', async () => {
  await assert.rejects(reservePorts(BLOCK), /at most 31 ports/)
})
