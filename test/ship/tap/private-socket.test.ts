import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createConnection, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { needs } from '../../../rig/needs.ts'
import { listenPrivately } from '../../../src/ship/tap/private-socket.ts'

const skip = process.platform === 'win32' ? 'unix sockets' : false

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tap-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

/** A server that answers with a letter. */
const answering = (letter: string): Server => createServer((socket) => socket.on('error', () => {}).end(letter))

async function ask(path: string): Promise<string> {
  const socket = createConnection(path)
  const [data] = (await once(socket, 'data')) as [Buffer]
  return data.toString()
}

test('private socket: is in a separate folder, only its user may connect, and nothing remains', {
  skip,
}, async (t) => {
  const inside = join(folder(t), 'run', 'interceptor')
  const path = join(inside, 'tap.sock')
  const { close } = await listenPrivately(answering('a'), path)
  assert.deepEqual([statSync(inside).mode & 0o777, statSync(path).mode & 0o777], [0o700, 0o600])
  assert.equal(await ask(path), 'a')
  assert.deepEqual(readdirSync(inside), ['tap.sock'])
  close()
  assert.deepEqual(readdirSync(inside), [])
})

test('private socket: replaces the socket of a killed process', { skip }, async (t) => {
  const path = join(folder(t), 'tap.sock')
  const gone = createServer()
  await listenPrivately(gone, path)
  // As after SIGKILL: nothing listens, but the socket still exists.
  gone.close()
  assert.ok(existsSync(path))
  const { close } = await listenPrivately(answering('b'), path)
  assert.equal(await ask(path), 'b')
  close()
})

test('private socket: does not replace the socket of a running process, or a file of another kind', {
  skip,
}, async (t) => {
  const path = join(folder(t), 'tap.sock')
  const { close } = await listenPrivately(answering('c'), path)
  await assert.rejects(listenPrivately(answering('d'), path), /another process listens there/)
  assert.equal(await ask(path), 'c')
  close()
  writeFileSync(path, 'data')
  await assert.rejects(listenPrivately(answering('d'), path), /a file of another kind/)
  assert.equal(statSync(path).size, 4)
})

test('private socket: does not remove the socket of its successor', { skip }, async (t) => {
  const path = join(folder(t), 'tap.sock')
  const { close } = await listenPrivately(answering('e'), path)
  rmSync(path)
  const successor = await listenPrivately(answering('f'), path)
  close()
  assert.equal(await ask(path), 'f')
  successor.close()
})

test('private socket: of several processes that start at once, one gets the path, and each other one an error', {
  skip,
}, async (t) => {
  const inside = folder(t)
  const path = join(inside, 'tap.sock')
  for (const isFirstStart of [true, false]) {
    if (!isFirstStart) {
      const killed = createServer()
      await listenPrivately(killed, path)
      killed.close()
    }
    const letters = ['a', 'b', 'c', 'd', 'e', 'f']
    const servers = letters.map(answering)
    const outcomes = await Promise.allSettled(servers.map((server) => listenPrivately(server, path)))
    const winners = letters.filter((_, index) => outcomes[index].status === 'fulfilled')
    const answer = await ask(path)
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value.close()
    assert.deepEqual([winners.length, answer], [1, winners[0]])
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.match(String(outcome.reason), /another process listens there/)
    }
    assert.deepEqual(readdirSync(inside), [])
  }
})

test('private socket: removes the folders of processes that were killed at their start, and no others', {
  skip,
}, async (t) => {
  const inside = folder(t)
  for (const name of ['.tap-old', '.tap-new', 'other']) mkdirSync(join(inside, name))
  for (const name of ['.tap-old', 'other']) utimesSync(join(inside, name), 0, 0)
  const { close } = await listenPrivately(answering('a'), join(inside, 'tap.sock'))
  assert.deepEqual(readdirSync(inside).sort(), ['.tap-new', 'other', 'tap.sock'])
  close()
})

test('private socket: leaves the folders of other users alone', {
  skip: needs('root'),
}, async (t) => {
  const inside = folder(t)
  const foreign = join(inside, '.tap-foreign')
  mkdirSync(foreign)
  utimesSync(foreign, 0, 0)
  chownSync(foreign, 65_534, 65_534)
  const { close } = await listenPrivately(answering('a'), join(inside, 'tap.sock'))
  close()
  assert.ok(existsSync(foreign))
})
