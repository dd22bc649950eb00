/** The tap of a real shipper thread, with real sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readPair } from '../../../src/pair/unpack.ts'
import { MAX_READERS } from '../../../src/ship/tap/tap.ts'
import { READER_BYTES } from '../../../src/ship/tap/tap-reader.ts'
import { TapClient } from '../../../src/tap/client.ts'
import { type ShipperRun, startShipper, until } from '../support.ts'

const skip = process.platform === 'win32' ? 'unix sockets' : false

async function tapped(t: TestContext): Promise<{ run: ShipperRun; path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'tap-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'tap.sock')
  const run = startShipper({ sink: { kind: 'none' }, whenFull: 'drop', tap: path })
  await run.ready
  return { run, path }
}

/** What a reader has received so far: the targets of pairs, and the number of omitted ones. */
class Seen {
  readonly targets: string[] = []
  notShown = 0
  /** Resolves at the end of the connection. */
  readonly ended: Promise<void>

  constructor(client: TapClient) {
    this.ended = this.#read(client)
  }

  /** Waits until the reader knows of this many pairs. What it has not read when the agent stops is lost. */
  async all(pairs: number): Promise<void> {
    await until(`${pairs} pairs are seen`, () => this.targets.length + this.notShown >= pairs)
  }

  async #read(client: TapClient): Promise<void> {
    for await (const { pairs, notShown } of client.batches(new AbortController().signal)) {
      this.notShown += notShown
      for (const bytes of pairs) {
        const pair = readPair(bytes)
        assert.ok(!(pair instanceof Error))
        this.targets.push(pair.request.target)
      }
    }
  }
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `/orders/${from + index}`)

/** Connects and never reads. */
async function stuckReader(t: TestContext, path: string): Promise<Socket> {
  const socket = createConnection(path).pause()
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

test('tap: readers receive everything shipped from their connection until the end', { skip }, async (t) => {
  const { run, path } = await tapped(t)
  for (let number = 0; number < 100; number += 1) await run.put(number)
  run.flush()
  await until('the first pairs are shipped', () => run.counter('shipped') === 100)
  const first = await TapClient.connect(path)
  const second = await TapClient.connect(path)
  const seen = [new Seen(first), new Seen(second)]
  await until('both are counted', () => run.status.tapReaders === 2)
  for (let number = 100; number < 3_000; number += 1) await run.put(number, { bodyBytes: number % 500 })
  run.flush()
  for (const one of seen) await one.all(2_900)
  await run.finish()
  await Promise.all(seen.map(({ ended }) => ended))
  for (const { targets, notShown } of seen) {
    assert.equal(notShown, 0)
    assert.deepEqual(targets, numbered(100, 3_000))
  }
  assert.equal(first.closedBecause, 'the agent has stopped')
  assert.deepEqual([run.status.tapReaders, run.status.tapNotShown], [0, 0])
})

test('tap: a reader that does not read loses pairs, and the output loses none', { skip }, async (t) => {
  const { run, path } = await tapped(t)
  await stuckReader(t, path)
  const client = await TapClient.connect(path)
  await until('both are connected', () => run.status.tapReaders === 2)
  const seen = new Seen(client)
  const [pairs, bodyBytes] = [2_500, 20_000]
  for (let number = 0; number < pairs; number += 1) await run.put(number, { bodyBytes })
  run.flush()
  await seen.all(pairs)
  await run.finish()
  assert.equal(run.counter('shipped'), pairs)
  assert.equal(seen.targets.length + seen.notShown, pairs)
  // Most of 50 MB does not fit into the reader's buffer and the kernel's.
  const most = pairs - (READER_BYTES + 1_000_000) / bodyBytes
  assert.ok(run.status.tapNotShown > most, `${run.status.tapNotShown} pairs not shown`)
})

test('tap: pairs that a reader has not read when the agent stops are counted', { skip }, async (t) => {
  const { run, path } = await tapped(t)
  const socket = await stuckReader(t, path)
  await until('it is connected', () => run.status.tapReaders === 1)
  const [pairs, bodyBytes] = [100, 20_000]
  for (let number = 0; number < pairs; number += 1) await run.put(number, { bodyBytes })
  run.flush()
  await until('all are shipped', () => run.counter('shipped') === pairs)
  assert.equal(run.status.tapNotShown, 0, 'they fit into its buffer')
  await run.finish()
  const { tapNotShown } = run.status
  assert.ok(
    run.logs.some((line) => line.startsWith('a reader of the tap was too slow')),
    run.logs.join('\n'),
  )
  // Data in the kernel's buffer can still be read; some of it may belong to pairs that are also counted.
  let received = 0
  for await (const chunk of socket) received += (chunk as Buffer).length
  const read = Math.floor(received / bodyBytes)
  assert.ok(read + tapNotShown >= pairs - 1, `${read} read, ${tapNotShown} not shown`)
  assert.ok(tapNotShown > pairs / 2 && tapNotShown <= pairs, `${tapNotShown} not shown`)
})

test('tap: a slow reader learns how many pairs it missed, and sees the next ones', { skip }, async (t) => {
  const { run, path } = await tapped(t)
  const client = await TapClient.connect(path)
  for (let number = 0; number < 1_000; number += 1) await run.put(number, { bodyBytes: 10_000 })
  run.flush()
  await until('pairs are not shown', () => run.counter('shipped') === 1_000 && run.status.tapNotShown > 0)
  const seen = new Seen(client)
  const known = run.status.tapNotShown
  await run.put(1_000)
  run.flush()
  await seen.all(1_001)
  await run.finish()
  const { targets, notShown } = seen
  assert.deepEqual(targets.slice(0, 100), numbered(0, 100))
  assert.ok(notShown >= known)
  assert.equal(targets.length + notShown, 1_001)
})

test('tap: disconnects a reader that sends anything', { skip }, async (t) => {
  const { run, path } = await tapped(t)
  const socket = createConnection(path)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  socket.on('error', () => {})
  socket.resume().write('GET / HTTP/1.1\r\n\r\n')
  await once(socket, 'close')
  await until('it has left', () => run.status.tapReaders === 0)
  await run.finish()
})

test('tap: a reader beyond the limit replaces the oldest one, which is sent the reason', { skip }, async (t) => {
  const { run, path } = await tapped(t)
  const oldest = await TapClient.connect(path)
  const { ended } = new Seen(oldest)
  for (let count = 0; count < MAX_READERS; count += 1) await stuckReader(t, path)
  await ended
  assert.match(oldest.closedBecause ?? '', /4 other readers/)
  await until('the others stay', () => run.status.tapReaders === MAX_READERS)
  await run.finish()
})

test('tap: a replacement shipper serves the same socket', { skip }, async (t) => {
  const { run, path } = await tapped(t)
  const { ended } = new Seen(await TapClient.connect(path))
  await run.replace()
  await ended
  const next = new Seen(await TapClient.connect(path))
  await run.put(7)
  run.flush()
  await next.all(1)
  await run.finish()
  assert.deepEqual(next.targets, ['/orders/7'])
})

test('tap: takes over the socket of another agent once that has ended, after one warning', { skip }, async (t) => {
  const { run: first, path } = await tapped(t)
  const second = startShipper({ sink: { kind: 'none' }, whenFull: 'drop', tap: path })
  await second.ready
  assert.equal(second.status.tapOpen, false)
  await first.finish()
  await until('the second agent has the socket', () => second.status.tapOpen)
  const seen = new Seen(await TapClient.connect(path))
  await until('the reader is counted', () => second.status.tapReaders === 1)
  await second.put(1)
  second.flush()
  await seen.all(1)
  await second.finish()
  assert.deepEqual(
    second.logs.filter((line) => /^the tap/.test(line)),
    ['the tap cannot be opened: tail and top --agent will not find this agent', 'the tap is open'],
  )
})

test('tap: warns about an unusable path, and pairs are shipped', { skip }, async () => {
  const run = startShipper({ sink: { kind: 'none' }, tap: '/proc/tap.sock' })
  await run.put(1)
  await run.finish()
  assert.deepEqual(
    [run.counter('shipped'), run.logs.filter((line) => /the tap cannot be opened/.test(line)).length],
    [1, 1],
  )
})
