/** Outputs that do not accept pairs: a stuck reader, a full disk, and a failing shipper. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { StreamSinkSpec } from '../../../src/ship/worker-data.ts'
import { COMMAND_DRAIN } from '../../../src/thread/control.ts'
import { startShipper, until } from '../support.ts'

const folder = mkdtempSync(join(tmpdir(), 'faults-'))
const mounts: string[] = []
after(() => {
  for (const mount of mounts) execFileSync('umount', ['-l', mount])
  rmSync(folder, { recursive: true, force: true })
})

function toFile(path: string, overrides: Partial<StreamSinkSpec> = {}): StreamSinkSpec {
  const formatOptions = { decode: false, color: false, width: null, verbose: false, version: '0' }
  return { kind: 'stream', path, append: false, format: 'ndjson', formatOptions, ...overrides }
}

const targets = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { request: { target: string } }).request.target)

const jsonPairs = (text: string): number => (JSON.parse(text) as unknown[]).length
const harEntries = (text: string): number => (JSON.parse(text) as { log: { entries: unknown[] } }).log.entries.length

/** Pairs of a whole file. */
const counted = { ndjson: (text: string) => targets(text).length, json: jsonPairs, har: harEntries }

test('stream sink: a FIFO without a reader stops neither the input nor the end', async () => {
  const path = join(folder, 'fifo')
  execFileSync('mkfifo', [path])
  const run = startShipper({ sink: toFile(path), whenFull: 'drop', shutdownTimeoutMs: 200 })
  await run.ready
  for (let number = 0; number < 100; number += 1) await run.put(number)
  run.flush()
  await until('pairs are buffered', () => run.counter('queued') === 100)
  run.command(COMMAND_DRAIN)
  const last = await run.finish()
  assert.deepEqual(
    [last.t, last.t === 'failed' && last.message],
    ['failed', `100 pairs could not be written: ${path} has no reader`],
  )
  assert.deepEqual(run.logs, ['the output has no reader yet; pairs wait in the buffer'])
  assert.equal(run.counter('droppedShutdown'), 100)
})

test('stream sink: a FIFO that never had a reader is an error, even without pairs', async () => {
  const path = join(folder, 'unread')
  execFileSync('mkfifo', [path])
  const run = startShipper({ sink: toFile(path) })
  await run.ready
  const last = await run.finish()
  assert.equal(last.t === 'failed' && last.message, `nothing was written: ${path} has no reader`)
})

test('stream sink: buffers bufferBytes for a reader that stops reading, then drops the oldest pairs', async () => {
  const path = join(folder, 'stuck')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const bufferBytes = 256 * 1024
  const run = startShipper({ sink: toFile(path), whenFull: 'drop', bufferBytes, shutdownTimeoutMs: 200 })
  for (let number = 0; number < 2_000; number += 1) await run.put(number, { bodyBytes: 1000 })
  run.flush()
  await until('the oldest are dropped', () => run.counter('droppedBufferBytes') > 500)
  run.command(COMMAND_DRAIN)
  const last = await run.finish()
  assert.match(
    last.t === 'failed' ? last.message : last.t,
    /^\d+ pairs could not be written: the reader of \S+stuck does not read$/,
  )
  closeSync(reader)
})

test('stream sink: a reader that closes a FIFO before the first pair is an error; a later one ends the run', async () => {
  for (const pairsBefore of [0, 1]) {
    const path = join(folder, `closed-${pairsBefore}`)
    execFileSync('mkfifo', [path])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const run = startShipper({ sink: toFile(path) })
    await run.ready
    if (pairsBefore > 0) {
      await run.put(0)
      run.flush()
      await until('it is written', () => run.counter('shipped') === 1)
    }
    closeSync(reader)
    await run.put(1)
    const last = await run.finish()
    assert.equal(last.t, pairsBefore === 0 ? 'failed' : 'done')
    assert.match(JSON.stringify(last), pairsBefore === 0 ? /closed it before a pair was written/ : /done/)
    assert.equal(run.counter('droppedShutdown'), 1)
  }
})

test('stream sink: a reader that closes after the last pair ends the run, although the end is not written', async () => {
  const path = join(folder, 'closed-before-end')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const run = startShipper({ sink: toFile(path, { format: 'json' }) })
  await run.ready
  await run.put(0)
  run.flush()
  await until('it is written', () => run.counter('shipped') === 1)
  closeSync(reader)
  assert.equal((await run.finish()).t, 'done')
})

test('stream sink: a burst fills files up to their largest size, and loses no pair', async () => {
  const path = join(folder, 'rotated')
  const rotation = { maxBytes: 10_000, maxAgeMs: Infinity, keep: Infinity }
  const run = startShipper({ sink: toFile(path, { append: true, rotation }) })
  for (let number = 0; number < 100; number += 1) await run.put(number, { bodyBytes: 500 })
  await run.finish()
  const names = readdirSync(folder).filter((name) => name.startsWith('rotated'))
  const files = names.map((name) => readFileSync(join(folder, name), 'utf8'))
  assert.ok(names.length > 5, names.join())
  assert.ok(files.every((text) => text.length < 13_000 && text.endsWith('\n') === (text !== '')))
  assert.equal(new Set(files.flatMap(targets)).size, 100)
})

const mayMount = process.platform === 'linux' && process.getuid?.() === 0

test('stream sink: a full disk is reported at once and retried; no record is torn', {
  skip: mayMount ? false : 'needs root, for a small file system',
}, async () => {
  const mount = mkdtempSync(join(folder, 'disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount])
  mounts.push(mount)
  const ballast = join(mount, 'ballast')
  writeFileSync(ballast, Buffer.alloc(900 * 1024))
  const path = join(mount, 'pairs')
  const run = startShipper({ sink: toFile(path, { append: true }), whenFull: 'drop' })
  for (let number = 0; number < 150; number += 1) await run.put(number, { bodyBytes: 1000 })
  run.flush()
  await until('it is reported', () => run.logs.some((line) => /cannot write the output: (ENOSPC|no space)/.test(line)))
  await until('it is unreachable', () => run.status.reachable === false)
  assert.ok(run.counter('shipped') < 150)
  rmSync(ballast)
  await until('the rest is written', () => run.counter('shipped') === 150)
  await until('it is reachable', () => run.status.reachable === true)
  assert.ok(run.logs.includes('the output accepts pairs again'))
  assert.equal((await run.finish()).t, 'done')
  assert.deepEqual(
    targets(readFileSync(path, 'utf8')),
    Array.from({ length: 150 }, (_, number) => `/orders/${number}`),
  )
})

for (const format of ['ndjson', 'json', 'har'] as const) {
  test(`stream sink: a disk that stays full leaves a whole ${format} file with the pairs that count as shipped`, {
    skip: mayMount ? false : 'needs root, for a small file system',
  }, async () => {
    for (const ballastBytes of [900 * 1024, 2 ** 20]) {
      const mount = mkdtempSync(join(folder, 'disk-'))
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount])
      mounts.push(mount)
      const ballast = join(mount, 'ballast')
      writeFileSync(ballast, Buffer.alloc(ballastBytes))
      const path = join(mount, 'pairs')
      const run = startShipper({ sink: toFile(path, { format }), whenFull: 'drop', shutdownTimeoutMs: 200 })
      for (let number = 0; number < 150; number += 1) await run.put(number, { bodyBytes: 1000 })
      run.flush()
      await until('it is unreachable', () => run.status.reachable === false)
      // A little room comes back when it is too late for the pairs.
      truncateSync(ballast, ballastBytes - 4096)
      assert.equal((await run.finish()).t, 'failed')
      const shipped = run.counter('shipped')
      assert.ok(shipped < 150)
      assert.ok(shipped > 0 || ballastBytes === 2 ** 20)
      assert.equal(counted[format](readFileSync(path, 'utf8')), shipped)
    }
  })
}

test('stream sink: pairs that a reader has received whole before it stopped count as shipped', async () => {
  const path = join(folder, 'stops')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const run = startShipper({ sink: toFile(path), whenFull: 'drop', shutdownTimeoutMs: 200 })
  for (let number = 0; number < 300; number += 1) await run.put(number, { bodyBytes: 1000 })
  run.command(COMMAND_DRAIN)
  assert.equal((await run.finish()).t, 'failed')
  const received = readFileSync(reader, 'utf8').split('\n')
  closeSync(reader)
  assert.ok(received.length > 10)
  assert.equal(run.counter('shipped'), received.length - 1)
})

test('stream sink: a thread that ends while it writes loses at most the pair in progress, and repeats nothing', async () => {
  const path = join(folder, 'ended')
  const run = startShipper({ sink: toFile(path), whenFull: 'drop' })
  await run.ready
  for (let kill = 0; kill < 6; kill += 1) {
    for (let number = 0; number < 2000; number += 1) await run.put(kill * 2000 + number, { bodyBytes: 300 })
    run.flush()
    await until('some are written', () => run.counter('shipped') > kill * 1500)
    await run.replace()
  }
  assert.equal((await run.finish()).t, 'done')
  const written = targets(readFileSync(path, 'utf8'))
  assert.equal(new Set(written).size, written.length)
  assert.equal(written.length, run.counter('shipped'))
  assert.ok(run.counter('droppedCrash') <= 6, `${run.counter('droppedCrash')} lost`)
})

for (const format of ['ndjson', 'json', 'har'] as const) {
  for (const append of [false, true]) {
    const how = append ? 'added to' : 'replaced'
    test(`stream sink: the replacement of a failed sink continues its ${format} file (${how})`, async () => {
      const path = join(folder, `${format}-${append}`)
      const run = startShipper({ sink: toFile(path, { format, append }) })
      for (let number = 0; number < 3; number += 1) {
        await run.put(number)
        run.flush()
        await until('it is shipped', () => run.counter('shipped') === number + 1)
        await run.replace()
      }
      await run.put(3)
      assert.equal((await run.finish()).t, 'done')
      const text = readFileSync(path, 'utf8')
      assert.equal(counted[format](text), 4)
    })
  }
}
