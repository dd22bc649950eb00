import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { needs } from '../../../rig/needs.ts'
import { EXIT_RUNTIME } from '../../../src/errors.ts'
import { COMMAND_DRAIN, COMMAND_STOP } from '../../../src/thread/control.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'
import { concat, PcapngBlocks, pcapFile, pcapHeader, pcapRecord, tcpFrame } from '../support.ts'
import { readFiles, WorkerRig } from '../worker-rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'interceptor-files-'))
after(() => rmSync(folder, { recursive: true }))

const FRAMES = Array.from({ length: 300 }, (_, i) => ({ bytes: tcpFrame(i * 3, [i, 80]) }))
const PACKETS = FRAMES.map(({ bytes }) => bytes.subarray(14))
const CAPTURE = pcapFile(FRAMES)

function file(name: string, content: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const without = (messages: FromWorker[], kind: FromWorker['t']): FromWorker[] => messages.filter(({ t }) => t !== kind)

/** Messages but for progress. */
const withoutProgress = (messages: FromWorker[]): FromWorker[] => without(messages, 'progress')

test('readFiles: reads a capture file to its end', async () => {
  const path = file('one.pcap', CAPTURE)
  const { messages, packets, interfaces, count } = await readFiles([path])
  assert.deepEqual(withoutProgress(messages), [{ t: 'ready' }, { t: 'done' }])
  assert.deepEqual(packets, PACKETS)
  assert.deepEqual(interfaces, ['one.pcap'])
  assert.deepEqual([count('frames.seen'), count('frames.queued')], [300, 300])
  const last = messages.filter(({ t }) => t === 'progress').at(-1)
  assert.deepEqual(last, { t: 'progress', path, bytes: CAPTURE.length, totalBytes: CAPTURE.length })
})

test('readFiles: reads several files as one capture, in the given order; interfaces keep their names', async () => {
  const b = new PcapngBlocks()
  const named = (name: string, frame: number): Uint8Array => {
    const options: [number, Uint8Array][] = [[2, new TextEncoder().encode(name)]]
    return concat([b.section(), b.interface(1, 0, options), b.enhanced(0, 1n, FRAMES[frame].bytes)])
  }
  const paths = [
    file('a.pcapng', named('eth0', 0)),
    file('b.pcapng', named('eth1', 1)),
    file('c.pcapng', named('eth0', 2)),
    file('d.pcap', pcapFile([FRAMES[3]])),
  ]
  const { packets, interfaces } = await readFiles(paths)
  assert.deepEqual(packets, PACKETS.slice(0, 4))
  assert.deepEqual(interfaces, ['eth0', 'eth1', 'd.pcap'])
})

test('readFiles: reads gzip with one or several members, whatever the file name', async () => {
  const half = Math.floor(CAPTURE.length / 2)
  const members = concat([gzipSync(CAPTURE.subarray(0, half)), gzipSync(CAPTURE.subarray(half))])
  for (const content of [gzipSync(CAPTURE), members]) {
    const { messages, packets } = await readFiles([file('zipped.pcap', content)])
    assert.deepEqual(withoutProgress(messages), [{ t: 'ready' }, { t: 'done' }])
    assert.deepEqual(packets, PACKETS)
  }
})

test('readFiles: gzipped captures joined by cat are one capture', async () => {
  const one = gzipSync(CAPTURE)
  const { messages, packets } = await readFiles([file('joined.gz', concat([one, one]))])
  assert.deepEqual(withoutProgress(messages), [{ t: 'ready' }, { t: 'done' }])
  assert.deepEqual(packets, [...PACKETS, ...PACKETS])
})

test('readFiles: reads everything before the end of a truncated gzip file', async () => {
  const noise = Uint8Array.from({ length: 400 }, (_, i) => (i * 7919 + i * i * 31) & 0xff)
  const frames = FRAMES.map(({ bytes }, i) => ({ bytes: concat([bytes, noise.subarray(i % 200)]) }))
  const zipped = gzipSync(pcapFile(frames))
  const path = file('cut.gz', zipped.subarray(0, zipped.length - 20))
  const { messages, packets } = await readFiles([path])
  assert.ok(packets.length >= 290, `${packets.length}`)
  const damage = messages.find(({ t }) => t === 'damage')
  assert.ok(damage?.t === 'damage')
  assert.match(damage.reason, /gzip stream is truncated/)
  assert.equal(messages.at(-1)?.t, 'done')
})

test('readFiles: a damaged gzip file is reported, not fatal', async () => {
  const zipped = gzipSync(CAPTURE)
  zipped.fill(0xff, 200, 260)
  const { messages } = await readFiles([file('broken.gz', zipped)])
  assert.match(JSON.stringify(messages), /gzip stream is damaged/)
  assert.equal(messages.at(-1)?.t, 'done')
})

for (const [what, damage, reason] of [
  ['a wrong checksum', (zipped: Buffer) => zipped.fill(0, zipped.length - 8, zipped.length - 4), /checksum is wrong/],
  ['bytes behind it', (zipped: Buffer) => Buffer.concat([zipped, Buffer.from('more')]), /not gzip follow/],
] as const) {
  test(`readFiles: a gzip file with ${what} is read completely, and reported`, async () => {
    const { messages, packets } = await readFiles([file('wrong.gz', damage(gzipSync(CAPTURE)))])
    assert.deepEqual(packets, PACKETS)
    const damages = messages.filter(({ t }) => t === 'damage')
    assert.equal(damages.length, 1)
    assert.match(JSON.stringify(damages), reason)
  })
}

test('readFiles: a member with a wrong checksum does not hide those behind it', async () => {
  const one = gzipSync(CAPTURE)
  const wrong = Buffer.from(one).fill(0, one.length - 8, one.length - 4)
  const { packets } = await readFiles([file('second.gz', concat([wrong, one]))])
  assert.equal(packets.length, 2 * PACKETS.length)
})

test('readFiles: accepts zeros after a gzip stream, as on tapes', async () => {
  const { messages } = await readFiles([file('tape.gz', concat([gzipSync(CAPTURE), new Uint8Array(600)]))])
  assert.deepEqual(withoutProgress(messages), [{ t: 'ready' }, { t: 'done' }])
})

/** Files that are not captures, and the message for each. */
const FOREIGN: [name: string, content: Uint8Array, reason: RegExp][] = [
  ['empty', new Uint8Array(0), /^the file is empty$/],
  ['empty.gz', gzipSync(new Uint8Array(0)), /^the file is empty$/],
  ['text', new TextEncoder().encode('GET / HTTP/1.1\r\n'), /not a capture file but text: "GET \/ HTTP/],
  ['zstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0), /zstd archive; unpack it first: zstd -dc/],
  ['bzip2', new TextEncoder().encode('BZh91AY&SY'), /bzip2 archive/],
  ['xz', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), /xz archive/],
  ['gzip twice', gzipSync(gzipSync(CAPTURE)), /gzip within gzip/],
  ['noise', Uint8Array.of(1, 2, 3, 4, 5), /it begins with 01 02 03 04 05$/],
]

for (const [name, content, reason] of FOREIGN) {
  test(`readFiles: reports a file that is not a capture: ${name}`, async () => {
    const path = file(name, content)
    const good = file('good.pcap', CAPTURE)
    const { messages, packets } = await readFiles([path, good])
    const damages = messages.filter((message) => message.t === 'damage')
    assert.equal(damages.length, 1)
    assert.deepEqual({ ...damages[0], reason: '' }, { t: 'damage', path, offset: null, reason: '' })
    assert.match(damages[0].reason, reason)
    assert.equal(packets.length, PACKETS.length, 'the file after it is read all the same')
  })
}

test('readFiles: a file that cannot be opened fails the run, after earlier files have been read', async () => {
  const good = file('good.pcap', CAPTURE)
  for (const [bad, reason] of [
    [join(folder, 'nowhere.pcap'), /nowhere\.pcap: there is no such file/],
    [folder, /is a directory/],
  ] as const) {
    const { messages, packets } = await readFiles([good, bad])
    assert.equal(packets.length, PACKETS.length)
    const last = messages.at(-1)!
    assert.ok(last.t === 'failed' && last.exitCode === EXIT_RUNTIME)
    assert.match(last.message, reason)
  }
})

test('readFiles: reads a named pipe that is written in pieces', { skip: needs('linux') }, async () => {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const rig = new WorkerRig([path])
  const writer = spawn('sh', ['-c', `exec > '${path}'; head -c 1; sleep 0.05; head -c 30; sleep 0.05; cat`], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  writer.stdin.end(gzipSync(CAPTURE))
  const { messages, packets } = await rig.end()
  assert.deepEqual(withoutProgress(messages), [{ t: 'ready' }, { t: 'done' }])
  assert.deepEqual(packets, PACKETS)
})

for (const [name, command] of [
  ['drain', COMMAND_DRAIN],
  ['stop', COMMAND_STOP],
] as const) {
  test(`readFiles: ends on ${name} while a pipe is silent`, { skip: needs('linux') }, async () => {
    const path = join(folder, `silent-${name}`)
    execFileSync('mkfifo', [path])
    const rig = new WorkerRig([path])
    const silent = openSync(path, 'r+')
    writeSync(silent, CAPTURE.subarray(0, 2000))
    while (rig.count('frames.queued') === 0) await sleep(5)
    rig.command(command)
    const { messages } = await rig.end()
    closeSync(silent)
    assert.deepEqual(withoutProgress(messages), [{ t: 'ready' }, { t: 'done' }])
  })
}

test('readFiles: follows a file that is still being written, until the command to drain', async () => {
  const path = file('growing.pcap', pcapHeader())
  const rig = new WorkerRig([path], { follow: true })
  for (const frame of FRAMES.slice(0, 5)) {
    const record = pcapRecord(frame)
    appendFileSync(path, record.subarray(0, 20))
    await sleep(10)
    appendFileSync(path, record.subarray(20))
  }
  appendFileSync(path, pcapRecord(FRAMES[5]).subarray(0, 30))
  while (rig.count('frames.queued') < 5) await sleep(5)
  const before = rig.control.heartbeat
  while (rig.control.heartbeat === before) await sleep(20)
  rig.command(COMMAND_DRAIN)
  const { messages, packets } = await rig.end()
  assert.deepEqual(packets, PACKETS.slice(0, 5))
  assert.deepEqual(
    withoutProgress(messages),
    [{ t: 'ready' }, { t: 'done' }],
    'what is still being written is not damage',
  )
})

test('readFiles: distributes frames to several rings, and closes all of them', async () => {
  const { packets } = await readFiles([file('steered.pcap', CAPTURE)], { rings: 3 })
  assert.equal(packets.length, PACKETS.length)
})
