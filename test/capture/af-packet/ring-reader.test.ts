/** The reader of a packet ring against a model of the kernel's side (net/packet/af_packet.c), in memory that both map. */
import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { needs } from '../../../rig/needs.ts'
import {
  BLOCK_HEADER_BYTES,
  PACKET_HEADER_BYTES,
  packetBytes,
  writePacketHeader,
} from '../../../src/capture/af-packet/ring-block.ts'
import { SETTLE_MS } from '../../../src/capture/af-packet/ring-geometry.ts'
import { RingReader } from '../../../src/capture/af-packet/ring-reader.ts'
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../../../src/capture/wire/link-types.ts'
import { RING_PROGRESS_WORDS } from '../../../src/capture/worker-data.ts'
import { viewMemory } from '../../../src/sys/ffi.ts'
import { mapShared, unmap } from '../../../src/sys/libc.ts'
import {
  BLOCK_FIRST_PACKET,
  BLOCK_LENGTH,
  BLOCK_NUMBER,
  BLOCK_PACKETS,
  BLOCK_STATUS,
  PACKET_NANOSECONDS,
  PACKET_NEXT,
  PACKET_SECONDS,
  PACKET_STATUS,
  PACKET_VLAN,
  TP_STATUS_KERNEL,
  TP_STATUS_USER,
  TP_STATUS_VLAN_VALID,
} from '../../../src/sys/packet.ts'
import { packet, tcp } from '../../support/frames.ts'
import { RememberingSink } from '../support.ts'

const skip = needs('linux')
const BLOCK_BYTES = 1024
const MAX_BLOCKS = 6
const SECONDS = 1_700_000_000

const folder = mkdtempSync(join(tmpdir(), 'interceptor-ring-'))
let address = 0n
let memory = new ArrayBuffer(0)
before(() => {
  if (skip !== false) return
  const fd = openSync(join(folder, 'ring'), 'w+')
  ftruncateSync(fd, BLOCK_BYTES * MAX_BLOCKS)
  address = mapShared(fd, BLOCK_BYTES * MAX_BLOCKS)
  memory = viewMemory(address, BLOCK_BYTES * MAX_BLOCKS)
  closeSync(fd)
})
after(() => {
  rmSync(folder, { recursive: true })
  if (address !== 0n) unmap(address, BLOCK_BYTES * MAX_BLOCKS)
})

/** The kernel's side of the ring: fills blocks in order, and drops frames while the next block is not free. */
class KernelRing {
  readonly blockCount: number
  /** Frames of each block that is not released yet, by number; the last entry is the open block. */
  readonly held: number[][] = []
  readonly #view = new DataView(memory)
  #block = 0
  #number = 0
  #frozen = false
  #end = 0

  constructor(blockCount: number) {
    this.blockCount = blockCount
    new Uint8Array(memory).fill(0)
    progress.fill(0)
    this.#open()
  }

  /** Adds a frame with `number` in its first four bytes. @returns whether there was room */
  add(number: number, length: number): boolean {
    const bytes = new Uint8Array(length)
    new DataView(bytes.buffer).setUint32(0, number)
    return this.put(bytes, { micros: number })?.push(number) !== undefined
  }

  /** Performs the first half of the reader's `release` for the oldest ready block, as if it crashed then. */
  markReleased(): void {
    const ready = Array.from({ length: this.blockCount }, (_, block) => block * BLOCK_BYTES)
      .filter((at) => this.#get(at + BLOCK_STATUS) === TP_STATUS_USER)
      .sort((left, right) => this.#get(left + BLOCK_NUMBER) - this.#get(right + BLOCK_NUMBER))
    this.#set(ready[0] + BLOCK_LENGTH, 0)
  }

  /** @returns the open block's frames; null: the frame was dropped */
  put(bytes: Uint8Array, { micros = 0, vlan = null as number | null } = {}): number[] | null {
    const size = packetBytes(bytes.length)
    if (!this.#frozen && this.#end + size > this.#start + BLOCK_BYTES) this.#close()
    if (this.#frozen && !this.timer()) return null
    const at = this.#end
    writePacketHeader(this.#view, at, bytes.length)
    this.#set(at + PACKET_SECONDS, SECONDS)
    this.#set(at + PACKET_NANOSECONDS, micros * 1000)
    this.#set(at + PACKET_STATUS, vlan === null ? TP_STATUS_USER : TP_STATUS_USER | TP_STATUS_VLAN_VALID)
    this.#set(at + PACKET_VLAN, vlan ?? 0)
    new Uint8Array(memory).set(bytes, at + PACKET_HEADER_BYTES)
    this.#end += size
    this.#set(this.#start + BLOCK_PACKETS, this.#get(this.#start + BLOCK_PACKETS) + 1)
    this.#set(this.#start + BLOCK_LENGTH, this.#end - this.#start)
    return this.held[this.held.length - 1]
  }

  /** Marks the open block's frame at a position as one that is still being written, or completes it. */
  setWritten(position: number, written: boolean): void {
    let at = this.#start + BLOCK_HEADER_BYTES
    for (let frame = 0; frame < position; frame++) at += this.#get(at + PACKET_NEXT)
    this.#set(at + PACKET_STATUS, written ? TP_STATUS_USER : 0)
  }

  /** The timer: closes an open block that has frames, and opens one where the ring was full. @returns whether one is open */
  timer(): boolean {
    if (this.#frozen) {
      if (this.#get(this.#start + BLOCK_STATUS) !== TP_STATUS_USER) this.#open()
    } else if (this.#get(this.#start + BLOCK_PACKETS) > 0) this.#close()
    return !this.#frozen
  }

  get #start(): number {
    return this.#block * BLOCK_BYTES
  }

  #open(): void {
    this.#frozen = false
    this.#number += 1
    this.#view.setBigUint64(this.#start + BLOCK_NUMBER, BigInt(this.#number), true)
    this.#set(this.#start + BLOCK_PACKETS, 0)
    this.#set(this.#start + BLOCK_LENGTH, BLOCK_HEADER_BYTES)
    this.#set(this.#start + BLOCK_FIRST_PACKET, BLOCK_HEADER_BYTES)
    this.#set(this.#start + BLOCK_STATUS, TP_STATUS_KERNEL)
    this.#end = this.#start + BLOCK_HEADER_BYTES
    this.held.push([])
  }

  #close(): void {
    this.#set(this.#start + BLOCK_STATUS, TP_STATUS_USER)
    this.#block = (this.#block + 1) % this.blockCount
    if (this.#get(this.#start + BLOCK_STATUS) === TP_STATUS_USER) this.#frozen = true
    else this.#open()
  }

  #get(at: number): number {
    return this.#view.getUint32(at, true)
  }

  #set(at: number, value: number): void {
    this.#view.setUint32(at, value, true)
  }
}

/** What the successive workers of one ring share; zeros for the first one. */
const progress = new Int32Array(RING_PROGRESS_WORDS)

const readerOf = (kernel: KernelRing, linkType = LINKTYPE_ETHERNET): RingReader =>
  new RingReader(
    {
      blockBytes: BLOCK_BYTES,
      blockCount: kernel.blockCount,
      linkType,
      interfaceId: 3,
      progress,
      proxyPort: Int32Array.of(0),
      redirected: new Uint8Array(0),
    },
    viewMemory(address, BLOCK_BYTES * kernel.blockCount),
  )

/**
 * Delivers one block.
 *
 * @param method of the reader; @param frames after which the worker crashes, in the next one
 * @returns the numbers of the frames that were delivered
 */
function deliver(
  reader: RingReader,
  frames = Number.POSITIVE_INFINITY,
  method: 'deliverBlock' | 'deliverSettled' = 'deliverBlock',
): number[] {
  const sink = new RememberingSink()
  const frame = sink.frame.bind(sink)
  sink.frame = (...args) => {
    if (sink.frames.length === frames) throw new CrashError()
    frame(...args)
  }
  try {
    reader[method](sink)
  } catch (error) {
    if (!(error instanceof CrashError)) throw error
  }
  return sink.frames.map(({ bytes, micros, wireLength, interfaceId }) => {
    const number = new DataView(bytes.buffer).getUint32(0)
    assert.deepEqual([micros, wireLength, interfaceId], [SECONDS * 1e6 + number, bytes.length, 3])
    return number
  })
}

class CrashError extends Error {}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('frame' as const), length: fc.integer({ min: 60, max: 700 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('timer' as const, 'replace' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('read' as const, 'crashInFrame' as const, 'crash' as const, 'crashInRelease' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('readOpen' as const) }) },
)

test('ring reader: model: delivers every frame once and in order, across full rings and crashing workers', {
  skip,
}, () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: MAX_BLOCKS }),
      fc.array(step, { maxLength: 120, size: 'max' }),
      (blockCount, steps) => {
        const kernel = new KernelRing(blockCount)
        let reader = readerOf(kernel)
        let next = 0
        /** Frames of the oldest block that were delivered, or that two workers crashed in. */
        let done = 0
        /** Whether a worker has crashed in the next frame. */
        let repeats = false
        const readNext = (how: 'read' | 'crashInFrame' | 'crash' | 'crashInRelease'): void => {
          const frames = kernel.held[0].slice(done)
          const inFrame = how === 'crashInFrame' && frames.length > 1
          const crashAt = inFrame ? (repeats ? 0 : 1) : undefined
          assert.deepEqual(deliver(reader, crashAt), frames.slice(0, crashAt))
          if (how === 'read' || how === 'crashInRelease') {
            if (how === 'read') reader.release()
            else kernel.markReleased()
            kernel.held.shift()
            done = 0
            repeats = false
          } else {
            done += crashAt === undefined ? frames.length : 1
            repeats = crashAt === 1
          }
          if (how !== 'read') reader = readerOf(kernel)
        }
        let now = 0
        const readOpen = (): void => {
          const frames = kernel.held[0]?.slice(done) ?? []
          assert.equal(reader.holdsFrames, frames.length > 0)
          // The first call counts the frames, and the second one finds them complete.
          now += 2 * SETTLE_MS
          reader.settle(now - SETTLE_MS)
          const bytes = reader.settle(now)
          assert.equal(bytes > 0, frames.length > 0)
          if (bytes === 0) return
          assert.deepEqual(deliver(reader, undefined, 'deliverSettled'), frames)
          done += frames.length
          repeats = false
        }
        for (const one of steps) {
          if (one.do === 'frame') kernel.add(next++, one.length)
          else if (one.do === 'timer') kernel.timer()
          else if (one.do === 'replace') reader = readerOf(kernel)
          else if (one.do === 'readOpen') {
            if (reader.readyBytes === 0) readOpen()
          } else if (reader.readyBytes === 0) assert.ok(kernel.held.length <= 1, 'a block is ready')
          else {
            assert.ok(reader.readyBytes <= BLOCK_BYTES)
            readNext(one.do)
          }
          const ready = kernel.held.length === blockCount && !kernel.add(next++, BLOCK_BYTES - 200)
          if (ready) assert.ok(reader.isNearlyFull, 'a full ring is nearly full')
        }
        reader.finish()
        while (reader.readyBytes > 0) {
          readNext('read')
        }
        assert.deepEqual(kernel.held.flat(), [])
      },
    ),
    { numRuns: 200 },
  )
})

test('ring reader: reads a frame of the open block once it is old enough and written', { skip }, () => {
  const kernel = new KernelRing(2)
  const reader = readerOf(kernel)
  const settled = (now: number): number[] =>
    reader.settle(now) === 0 ? [] : deliver(reader, undefined, 'deliverSettled')
  kernel.add(1, 100)
  assert.deepEqual(settled(1000), [])
  kernel.add(2, 100)
  kernel.add(3, 100)
  assert.deepEqual(settled(1000 + SETTLE_MS - 1), [])
  assert.deepEqual(settled(1000 + SETTLE_MS), [1], 'the others have just been seen')
  kernel.setWritten(1, false)
  assert.deepEqual(settled(2000), [], 'frame 3 waits for frame 2')
  assert.ok(reader.holdsFrames)
  kernel.setWritten(1, true)
  assert.deepEqual(settled(3000), [2, 3])
  assert.ok(!reader.holdsFrames)
  kernel.timer()
  assert.deepEqual(deliver(reader), [], 'the block becomes ready')
})

test('ring reader: is nearly full once an eighth of the ring is left, or the last block of a small ring', {
  skip,
}, () => {
  const kernel = new KernelRing(4)
  const reader = readerOf(kernel)
  for (const expected of [false, false, false, true]) {
    kernel.add(0, 100)
    kernel.timer()
    assert.equal(reader.isNearlyFull, expected)
  }
})

test('ring reader: reports the VLAN tag that the kernel removed, and tags that a cooked frame begins with', {
  skip,
}, () => {
  const bare = packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(1, 2) })
  const kernel = new KernelRing(2)
  kernel.put(bare, { vlan: 0x3007 })
  kernel.put(Uint8Array.from([0x00, 0x09, 0x08, 0x00, ...bare]), { vlan: 0x3007 })
  kernel.put(bare)
  kernel.timer()
  const seen: unknown[] = []
  const sink = new RememberingSink()
  const frame = sink.frame.bind(sink)
  sink.frame = (...args) => {
    frame(...args)
    seen.push([sink.stamp.vlan, sink.frames.at(-1)!.bytes.length])
  }
  readerOf(kernel, LINKTYPE_RAW).deliverBlock(sink)
  assert.deepEqual(seen, [
    [0x3007, bare.length],
    [0x3007 | (0x0009 << 16), bare.length],
    [0, bare.length],
  ])
})
