import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { ServerName } from '../../src/assemble/server-name.ts'

/** The first bytes that OpenSSL sends. */
async function clientHello(servername: string | undefined): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect({ port, host: '127.0.0.1', ...(servername === undefined ? {} : { servername }) })
  client.on('error', () => {})
  const [socket] = await once(server, 'connection')
  const [hello] = await once(socket, 'data')
  socket.destroy()
  client.destroy()
  server.close()
  return hello
}

const nameIn = (bytes: Uint8Array, at = 0, end = bytes.length): string | null => {
  const name = new ServerName()
  return name.find(bytes, at, end) ? Buffer.from(bytes.subarray(name.start, name.end)).toString() : null
}

test('server name: finds the name in a ClientHello of OpenSSL', async () => {
  const hello = await clientHello('api.example.com')
  assert.equal(nameIn(hello), 'api.example.com')
  assert.equal(nameIn(Buffer.concat([Buffer.alloc(7), hello]), 7), 'api.example.com')
  assert.equal(nameIn(await clientHello(undefined)), null)
})

test('server name: finds the whole name or nothing in a truncated ClientHello', async () => {
  const hello = await clientHello('api.example.com')
  const found = Array.from({ length: hello.length }, (_, end) => nameIn(hello, 0, end))
  const from = found.findIndex((name) => name !== null)
  assert.ok(from > 0)
  assert.deepEqual(
    found.filter((name, end) => name !== (end < from ? null : 'api.example.com')),
    [],
  )
})

test('server name: ignores names with control characters, and never reads beyond the segment', async () => {
  const hello = await clientHello('api.example.com')
  const at = hello.indexOf('api.example.com')
  hello[at + 3] = 0x1b
  assert.equal(nameIn(hello), null)
  hello[at + 3] = 0x2e
  for (let i = 0; i < hello.length; i++) {
    const damaged = Buffer.from(hello)
    damaged[i] = 0xff
    const name = new ServerName()
    if (name.find(damaged, 0, damaged.length)) assert.ok(name.end <= damaged.length && name.start < name.end)
  }
})
