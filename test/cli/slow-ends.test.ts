/** Inputs and outputs of `read` that are large, endless or slow, with all of its threads or with one (supervisor/arrangement.ts). */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { EXIT_DAMAGED, EXIT_INTERRUPTED, EXIT_RUNTIME } from '../../src/errors.ts'
import { count, type Ledger } from '../../src/ledger/ledger.ts'
import { request, response, sequential } from '../support/http-script.ts'
import { assertLaws } from '../support/ledger.ts'
import { encodeFrames, pcapOf } from '../support/tcp-frames.ts'
import { TcpScript } from '../support/tcp-script.ts'
import { finish, run, start } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'slow-ends-'))
after(() => rmSync(folder, { recursive: true }))

const CONNECTIONS = 200
const EXCHANGES = 100
const PAIRS = CONNECTIONS * EXCHANGES
/** What a pipe holds. */
const PIPE_BYTES = 64 * 1024
/** A hole in a file, which nobody reads to its end. */
const ENDLESS_BYTES = 2 ** 40

const capture = pcapOf(
  Array.from({ length: CONNECTIONS }, (_, i) =>
    encodeFrames(sequential(EXCHANGES).segments, { client: { address: '10.0.0.1', port: 1024 + i } }),
  ).flat(),
)

/** Responses with bodies that gzip makes much smaller. */
function repetitive(pairs: number, bodyBytes: number): Buffer {
  const script = new TcpScript().handshake()
  for (let n = 0; n < pairs; n += 1) script.client(request(`/${n}`)).server(response('x'.repeat(bodyBytes)))
  return pcapOf(encodeFrames(script.close().segments))
}

function file(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}

/** More pairs than the rings, the buffer and a pipe hold. */
const LARGE = file('large.pcap', capture)
/** Small enough for one thread. */
const SMALL = file('small.pcap', capture.subarray(0, 1_000_000))
/** A small file with as much in it as in the large one. */
const DENSE = file('dense.pcap.gz', gzipSync(repetitive(125, 60_000)))
assert.ok(statSync(DENSE).size < 128 * 1024)
const ENDLESS = file('endless.pcap', capture)
truncateSync(ENDLESS, ENDLESS_BYTES)

const BUFFERS = ['limits.pairBytes=64KiB', 'ship.batchBytes=64KiB', 'ship.bufferBytes=64KiB'].flatMap((setting) => [
  '--set',
  setting,
])

const ledgerOf = (path: string): Ledger => {
  const ledger = JSON.parse(readFileSync(path, 'utf8')) as Ledger
  assertLaws(ledger)
  return ledger
}

const lines = (text: string): number => text.split('\n').length - 1

/** Resolves once what the program prints on standard error matches. */
async function printed(child: ChildProcess, pattern: RegExp): Promise<void> {
  let text = ''
  for await (const chunk of child.stderr!.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (pattern.test(text)) return
  }
  assert.fail(`ended: ${text}`)
}

for (const output of ['none', 'ndjson']) {
  const args = ['read', '--all', '-o', output, ...(output === 'none' ? [] : ['-w', '/dev/null'])]

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`read -o ${output}: drains on ${signal} in the middle of a file`, async () => {
      const summary = join(folder, `${output}-${signal}.json`)
      const child = start([...args, '--progress', 'always', '--summary', summary, ENDLESS])
      await printed(child, /20,000 pairs/)
      child.kill(signal)
      assert.equal((await finish(child)).code, EXIT_DAMAGED)
      assert.equal(count(ledgerOf(summary), 'pairs.shipped'), PAIRS)
    })
  }

  test(`read -o ${output}: stops after -c N in the middle of a file`, async () => {
    const summary = join(folder, `${output}-limit.json`)
    const { code } = await run([...args, '-c', '1234', '--summary', summary, ENDLESS])
    assert.equal(code, 0)
    assert.equal(count(ledgerOf(summary), 'pairs.shipped'), 1234)
  })

  test(`read -o ${output}: shows each pair of a slow pipe when it arrives`, async () => {
    const child = start([...args, '--progress', 'always', '-'])
    const piece = Math.ceil(capture.length / 2) + 3
    child.stdin!.write(capture.subarray(0, 1001))
    await sleep(50)
    child.stdin!.write(capture.subarray(1001, piece))
    await printed(child, /[1-9]\d?,\d{3} pairs/)
    child.stdin!.end(capture.subarray(piece))
    const { code, stderr } = await finish(child)
    assert.equal(code, 0)
    assert.match(stderr, /20,000 pairs (counted|written)/)
  })

  test(`read -o ${output}: reads pipes, gzip and plain files in one run`, async () => {
    const summary = join(folder, `${output}-several.json`)
    const { code } = await run([...args, '--summary', summary, LARGE, '-', file('all.pcap.gz', gzipSync(capture))], {
      stdin: capture,
    })
    assert.equal(code, 0)
    const ledger = ledgerOf(summary)
    assert.equal(count(ledger, 'frames.seen') % 3, 0)
    assert.ok(count(ledger, 'pairs.shipped') >= PAIRS)
  })
}

/** Loaded into each thread of the program: the third read of a large piece takes longer than a heartbeat may. */
const SLOW_DISK = file(
  'slow-disk.cjs',
  Buffer.from(`
    const fs = require('node:fs')
    const { readSync } = fs
    let reads = 0
    fs.readSync = (fd, buffer, ...rest) => {
      if (buffer.length > 4096 && ++reads === 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_500)
      return readSync(fd, buffer, ...rest)
    }
    require('node:module').syncBuiltinESMExports()
  `),
)

test('read: a disk that is slower than a heartbeat costs no pair', async () => {
  const started = performance.now()
  const env = { NODE_OPTIONS: `--require ${SLOW_DISK}` }
  const { code, stdout, stderr } = await run(['read', '--all', '-o', 'ndjson', LARGE], { env })
  assert.equal(code, 0, stderr)
  assert.equal(lines(stdout), PAIRS)
  assert.ok(performance.now() - started > 3_500, 'the disk was not slow')
})

/** A pipe of a shell whose reader begins late: those of Node.js are sockets. */
const LATE = ['sh', '-c', '"$@" | (sleep 1.5; cat)', 'sh']

for (const [name, path] of [
  ['one thread', SMALL],
  ['threads', LARGE],
] as const) {
  test(`read: a reader that pauses for longer than all limits gets every pair: ${name}`, async () => {
    const summary = join(folder, 'all.json')
    await run(['read', '-q', '--all', '-o', 'none', '--summary', summary, path])
    const pairs = count(ledgerOf(summary), 'pairs.shipped')
    const limits = ['shutdown.timeout=50ms', 'ship.maxAge=50ms'].flatMap((setting) => ['--set', setting])
    const args = ['read', '--all', '-o', 'json', ...BUFFERS, ...limits, path]
    const { stdout, stderr } = await run(args, { under: LATE })
    assert.equal((JSON.parse(stdout) as unknown[]).length, pairs, stderr)
    assert.ok(stdout.length > PIPE_BYTES)
  })
}

/** A FIFO that the test has opened and does not read. */
function unread(name: string): { path: string; fd: number } {
  const path = join(folder, name)
  execFileSync('mkfifo', [path])
  return { path, fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) }
}

for (const [name, signals, timeout, expected, input] of [
  ['ends within shutdown.timeout', 1, '100ms', EXIT_RUNTIME, LARGE],
  ['ends at once after a second one', 2, '10m', EXIT_INTERRUPTED, LARGE],
  ['and a small file has many pairs', 1, '101ms', EXIT_RUNTIME, DENSE],
] as const) {
  test(`read: SIGINT, while nobody reads the output: ${name}`, async () => {
    const { path, fd } = unread(`unread-${signals}-${timeout}`)
    const args = ['read', '-vv', '--progress', 'always', '--all', '-o', 'ndjson', '-w', path, ...BUFFERS]
    const child = start([...args, '--set', `shutdown.timeout=${timeout}`, input])
    // Half of the file waits in the rings: the assembler waits for room by then.
    await printed(child, /[1-9]\d* pairs/)
    await sleep(500)
    child.kill('SIGINT')
    await printed(child, /SIGINT: draining/)
    if (signals > 1) child.kill('SIGINT')
    assert.equal((await finish(child)).code, expected)
    closeSync(fd)
  })
}

test('read: what a reader has read when a signal ends the run is whole, and the rest is counted', async () => {
  const { path, fd } = unread('ended')
  const summary = join(folder, 'ended.json')
  const args = ['read', '--progress', 'always', '--all', '-o', 'ndjson', '-w', path, ...BUFFERS]
  const child = start([...args, '--set', 'shutdown.timeout=100ms', '--summary', summary, LARGE])
  await printed(child, /[1-9]\d* pairs/)
  child.kill('SIGTERM')
  await finish(child)
  const text = readFileSync(fd, 'utf8')
  closeSync(fd)
  const ledger = ledgerOf(summary)
  assert.ok(count(ledger, 'pairs.shipped') > 0)
  assert.equal(count(ledger, 'pairs.shipped'), lines(text))
  assert.ok(count(ledger, 'pairs.dropped') > 0)
})
