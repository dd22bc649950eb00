/** Live capture under load: no frame is lost while there is room, and frames lost for lack of room are counted. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeTrace } from '../../bench/traces.ts'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { PROGRAM } from '../../rig/root.ts'
import { flowHash } from '../../src/capture/intake/flow-hash.ts'
import { isKept, KEEP_ALL } from '../../src/capture/intake/flow-shedder.ts'
import { CAPTURE_COUNTERS } from '../../src/ledger/counters.ts'
import { count } from '../../src/ledger/ledger.ts'
import { ethernet, packet, pcapFile, tcp } from '../support/frames.ts'
import { assertLaws } from '../support/ledger.ts'
import { LiveCapture, liveInterface } from '../support/live-capture.ts'
import { segmentOf } from '../support/segments.ts'

const skip = needs('root', 'ip', 'tcpreplay')
const FRAMES = 20_000
const MIB = 1024 * 1024
/** Number of connections from which the tests detect whether all are kept. */
const PROBE = 1000
/** Within this time a frame is read from the kernel's open block (af-packet/source.ts). */
const SETTLE_MS = 600
/** How long a program runs under load before it is ended. */
const UNDER_LOAD_MS = 1500

const folder = mkdtempSync(join(tmpdir(), 'itl-'))
after(() => rmSync(folder, { recursive: true }))

/** Frames of a flood during which sockets are replaced. */
const NUMBERED = 200_000
const SWITCHES = 10

/** A file of NUMBERED frames whose sequence numbers count from 0. */
function numberedFrames(): string {
  const file = join(folder, 'numbered.pcap')
  const payload = Buffer.concat([tcp(1024, 80), Buffer.alloc(30)])
  const frame = ethernet({
    payload: packet({ source: [10, 79, 0, 1], destination: [10, 79, 0, 2], protocol: 6, payload }),
  })
  const record = pcapFile([frame]).subarray(24)
  const bytes = Buffer.alloc(24 + NUMBERED * record.length)
  pcapFile([]).copy(bytes)
  for (let number = 0; number < NUMBERED; number++) {
    const at = 24 + number * record.length
    bytes.set(record, at)
    bytes.writeUInt32BE(number, at + 16 + 14 + 20 + 4)
  }
  writeFileSync(file, bytes)
  return file
}

/** The file of FRAMES frames with payloads of 600 to 799 bytes, written once. */
function frames(): string {
  const file = join(folder, 'frames.pcap')
  if (existsSync(file)) return file
  const [source, destination] = [
    [10, 79, 0, 1],
    [10, 79, 0, 2],
  ]
  const all = Array.from({ length: FRAMES }, (_, index) => {
    const payload = Buffer.concat([tcp(1024 + (index % 60_000), 80), Buffer.alloc(600 + (index % 200), index)])
    return ethernet({ payload: packet({ source, destination, protocol: 6, payload }) })
  })
  writeFileSync(file, pcapFile(all))
  return file
}

/** The frames of kept connections, of a file of Ethernet frames with IPv4 headers without options. */
function keptFrames(file: string, threshold: number): number {
  const bytes = readFileSync(file)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let kept = 0
  for (let at = 24; at < bytes.length; at += 16 + view.getUint32(at + 8, true)) {
    const ip = at + 16 + 14
    if (isKept(flowHash(view, 4, ip, ip + 20, 0), threshold)) kept += 1
  }
  return kept
}

/**
 * One end of a veth pair on which the kernel itself sends nothing. Tests send and capture there, because a busy machine may
 * lose frames between the two ends, in its queue of received ones (net.core.netdev_max_backlog).
 */
function sender(t: TestContext): Namespace {
  const [left, right] = Namespace.pair()
  t.after(() => {
    left.delete()
    right.delete()
  })
  return left
}

const replay = (namespace: Namespace, file: string, loops: number) =>
  namespace.exec('tcpreplay', '-q', '-i', 'eth0', '--topspeed', '--preload-pcap', '--loop', String(loops), file)

test('load: captures every frame of a burst while the kernel ring has room', { skip }, async (t) => {
  const [left, file] = [sender(t), frames()]
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { ringBytes: 64 * MIB, filter: 'ip' }, false)
  capture.start()
  replay(left, file, 2)
  const counters = await capture.stop()
  assert.equal(counters['frames.kernelDropped'], 0)
  assert.equal(counters['frames.queued'], 2 * FRAMES)
  assert.equal(counters['frames.seen'], 2 * FRAMES)
})

test('load: captures every frame of a flood once while larger rings take over', { skip }, async (t) => {
  const left = sender(t)
  const eth0 = liveInterface(1, 'eth0', left.path)
  const capture = new LiveCapture([eth0], { ringBytes: 16 * MIB, filter: 'ip' })
  capture.start()
  await capture.message('ready')
  const flood = left.spawn('tcpreplay', '-q', '-i', 'eth0', '--pps', '100000', numberedFrames())
  const ended = once(flood, 'exit')
  while (capture.packets.length === 0) await sleep(1)
  let during = 0
  for (let i = 0; i < SWITCHES; i++) {
    if (flood.exitCode === null) during += 1
    await capture.replace(eth0)
  }
  await ended
  const counters = await capture.stop()
  assert.ok(during > 0, 'no switch during the flood')
  const numbers = capture.packets.map((seen) => segmentOf(seen.packet).sequence)
  assert.equal(new Set(numbers).size, numbers.length, 'none twice')
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  )
  assert.equal(numbers.length + counters['frames.kernelDropped'], NUMBERED)
  assert.equal(counters['frames.queued'], numbers.length)
})

test('load: counts every frame that the kernel drops', { skip }, async (t) => {
  const [left, file] = [sender(t), frames()]
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { ringBytes: MIB, filter: 'ip' }, false)
  // No worker reads yet, so the ring fills up.
  replay(left, file, 1)
  capture.start()
  const counters = await capture.stop()
  const dropped = counters['frames.kernelDropped']
  assert.ok(dropped > FRAMES / 2, `${dropped} dropped`)
  assert.equal(counters['frames.seen'] + dropped, FRAMES)
})

test('load: a worker serves all of its interfaces', { skip }, async (t) => {
  const [one, other] = [sender(t), sender(t)]
  const interfaces = [liveInterface(1, 'eth0', one.path), liveInterface(2, 'eth0', other.path)]
  const capture = new LiveCapture(interfaces, { ringBytes: 64 * MIB, filter: 'ip' }, false)
  capture.start()
  replay(one, frames(), 1)
  replay(other, frames(), 2)
  const counters = await capture.stop()
  assert.equal(counters['frames.queued'], 3 * FRAMES)
})

test('load: frames wait in the kernel while the assemblers are behind, then whole connections are shed', {
  skip,
}, async (t) => {
  const [left, file] = [sender(t), frames()]
  const options = { ringBytes: 8 * MIB, filter: 'ip' }
  // The ring to the assembler has 2 MiB and is not emptied, so frames are held in the kernel's ring.
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], options, false, 2 * MIB)
  capture.startUnread()
  // Reading makes room, so it starts only after the worker has had no room for some time.
  const shedCounter = CAPTURE_COUNTERS.paths.indexOf('frames.dropped.shed')
  let sent = 0
  while (capture.counters[shedCounter] === 0) {
    replay(left, file, 4)
    sent += 4 * FRAMES
  }
  const counters = await capture.stop()
  const shed = counters['frames.dropped.shed']
  const seen = counters['frames.seen']
  assert.equal(counters['frames.queued'] + shed + counters['frames.dropped.ring'], seen)
  // The rest was shed by the kernel's filter, which only counts a sample.
  assert.ok(seen + counters['frames.kernelDropped'] <= sent)
})

test('load: the kernel sheds under lasting overload; afterwards every connection is kept again', {
  skip,
}, async (t) => {
  const [left, file] = [sender(t), frames()]
  const options = { ringBytes: 2 * MIB, filter: 'ip' }
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], options, false, 2 * MIB)
  const countOf = (path: string): number => capture.counters[CAPTURE_COUNTERS.paths.indexOf(path)]
  // An assembler that reads nothing is an overload at any speed of the machine.
  capture.startUnread()
  while (countOf('frames.kernelShed') === 0) replay(left, file, 1)
  capture.keepTaking()
  for (let seen = 0; seen < PROBE; ) {
    const before = countOf('frames.queued')
    left.exec('tcpreplay', '-q', '-i', 'eth0', '--pps', '5000', '--limit', String(PROBE), file)
    await sleep(SETTLE_MS)
    seen = countOf('frames.queued') - before
  }
  const counters = await capture.stop()
  assert.ok(counters['frames.kernelShed'] > 0)
})

test('load: frames that are read rarely, because connections are shed for limits.cpu, arrive', { skip }, async (t) => {
  const [left, file] = [sender(t), frames()]
  // The ring holds all frames.
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { ringBytes: 64 * MIB, filter: 'ip' }, false)
  const keep = KEEP_ALL / 4
  capture.start(keep)
  left.exec('tcpreplay', '-q', '-i', 'eth0', '--pps', '20000', '--preload-pcap', '--loop', '2', file)
  const counters = await capture.stop()
  assert.equal(counters['frames.queued'], 2 * keptFrames(file, keep))
  assert.equal(counters['frames.kernelDropped'], 0)
  assert.ok(counters['frames.kernelShed'] > 0)
})

test('load: SIGTERM under a flood ends in order: everything is drained or counted, within shutdown.timeout', {
  skip: skip || needs('libpcap'),
}, async (t) => {
  const left = sender(t)
  const summary = join(folder, 'sigterm.json')
  const flood = left.spawn(
    ...(['tcpreplay', '-q', '-i', 'eth0', '--topspeed', '--preload-pcap', '--loop', '1000000'] as const),
    makeTrace('api', 5000).path,
  )
  const options = ['-i', 'eth0', '-o', 'none', '--all', '--summary', summary]
  const command = left.spawn(process.execPath, PROGRAM, 'capture', ...options)
  t.after(() => {
    flood.kill('SIGKILL')
    command.kill('SIGKILL')
  })
  let log = ''
  command.stderr?.on('data', (chunk) => {
    log += String(chunk)
  })
  while (!log.includes('capturing on')) {
    assert.equal(command.exitCode, null, log)
    await sleep(10)
  }
  await sleep(UNDER_LOAD_MS)
  command.kill('SIGTERM')
  assert.deepEqual(await once(command, 'close'), [0, null], log)
  assert.equal(flood.exitCode, null, 'it lasts to the end')
  assert.doesNotMatch(log, /not drained|restarted/)
  const ledger = JSON.parse(readFileSync(summary, 'utf8'))
  assertLaws(ledger)
  assert.ok(count(ledger, 'pairs.kept') > 0 && count(ledger, 'frames.consumed') > FRAMES, log)
  assert.deepEqual([count(ledger, 'frames.lost'), count(ledger, 'pairs.queued')], [0, 0])
})

test('load: a pause of ten seconds at 1,000 frames per second of API traffic loses nothing in the default ring', {
  skip,
}, async (t) => {
  const left = sender(t)
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { ringBytes: 8 * MIB, filter: 'ip' }, false)
  // The worker starts only after the pause; for the kernel this is the same as a worker that pauses.
  const trace = makeTrace('api', 2500).path
  left.exec('tcpreplay', '-q', '-i', 'eth0', '--pps', '1000', '--limit', '10000', '--loop', '2', trace)
  capture.start()
  const counters = await capture.stop()
  assert.equal(counters['frames.kernelDropped'], 0)
  assert.equal(counters['frames.seen'], 10_000)
})
