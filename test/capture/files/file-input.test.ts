/** Reading one capture file from opening to end: kinds of storage, reports, and commands. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { FileInput } from '../../../src/capture/files/file-input.ts'
import { ownMemory } from '../../../src/capture/files/window.ts'
import { EXIT_RUNTIME } from '../../../src/errors.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { COMMAND_DRAIN, Control } from '../../../src/thread/control.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { concat, pcapFile, pcapHeader, pcapRecord, RememberingSink, tcpFrame } from '../support.ts'

const folder = mkdtempSync(join(tmpdir(), 'interceptor-input-'))
after(() => rmSync(folder, { recursive: true }))

type Progress = Extract<FromWorker, { t: 'progress' }>

class Rig {
  readonly messages: FromWorker[] = []
  readonly control = new Control(Control.allocate())
  readonly sink: RememberingSink
  readonly input: FileInput
  /** What names an interface, and the name where the file has none. */
  readonly named: string[][] = []

  constructor(path: string, sink = new RememberingSink()) {
    this.sink = sink
    const { control } = this
    const bell = new Doorbell(Doorbell.allocate())
    const post = (message: FromWorker): void => void this.messages.push(message)
    const context = { sink, memory: ownMemory(), control, bell, post, afterRead: () => null }
    this.input = new FileInput(path, context, (...names) => {
      this.named.push(names)
      return 0
    })
  }

  get progress(): Progress[] {
    return this.messages.filter((message): message is Progress => message.t === 'progress')
  }

  get damages(): string[] {
    return this.messages.flatMap((message) => (message.t === 'damage' ? [message.reason] : []))
  }
}

function file(name: string, content: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** The content in gzip members of these lengths, repeated as needed. */
function zipped(content: Uint8Array, lengths: readonly number[]): Uint8Array {
  const members: Uint8Array[] = []
  for (let at = 0, i = 0; at < content.length; i += 1) {
    const length = lengths[i % lengths.length]
    members.push(gzipSync(content.subarray(at, at + length), { level: 1 }))
    at += length
  }
  return concat(members)
}

test('file input: model: delivers every frame once, however the file is stored, and ends the progress at its size', async () => {
  const frames = fc.array(
    fc.nat(300).map((length) => tcpFrame(length)),
    { maxLength: 30 },
  )
  const members = fc.option(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 3 }))
  await fc.assert(
    fc.asyncProperty(frames, members, fc.nat(20), async (all, lengths, missing) => {
      const whole = pcapFile(all.map((bytes) => ({ bytes })))
      // The last record lacks some bytes.
      const content = whole.subarray(0, all.length === 0 ? whole.length : whole.length - missing)
      const stored = lengths === null ? content : zipped(content, lengths)
      const path = file('model', stored)
      const rig = new Rig(path)
      await rig.input.run(false)
      const complete = missing === 0 ? all : all.slice(0, -1)
      assert.deepEqual(
        rig.sink.frames.map(({ bytes }) => Buffer.from(bytes).toString('hex')),
        complete.map((bytes) => Buffer.from(bytes).toString('hex')),
      )
      assert.equal(rig.damages.length, complete.length < all.length ? 1 : 0)
      const { progress } = rig
      assert.deepEqual(progress.at(-1), { t: 'progress', path, bytes: stored.length, totalBytes: stored.length })
      assert.ok(progress.every(({ bytes }, i) => i === 0 || bytes >= progress[i - 1].bytes))
      assert.ok(rig.control.heartbeat > 0)
      assert.deepEqual(rig.named.at(0), ['model', 'model'])
    }),
    { numRuns: propertyRuns(200) },
  )
})

/** Issues a command at the first frame. */
class CommandingSink extends RememberingSink {
  command = (): void => {}

  override frame(...frame: Parameters<RememberingSink['frame']>): void {
    super.frame(...frame)
    this.command()
  }
}

test('file input: obeys a command between two steps, long before the end of a file or of a gzip bomb', async () => {
  const frame = tcpFrame(1400)
  const content = concat([pcapHeader(), ...Array.from({ length: 2000 }, () => pcapRecord({ bytes: frame }))])
  for (const stored of [content, gzipSync(content)]) {
    const sink = new CommandingSink()
    const { input, control } = new Rig(file('long', stored), sink)
    sink.command = () => {
      control.command = COMMAND_DRAIN
    }
    await input.run(false)
    assert.ok(sink.frames.length > 0 && sink.frames.length < 1000, `${sink.frames.length} frames`)
  }
})

test('file input: stops reading after sixteen damaged positions, and reports that', () => {
  const rig = new Rig('absent')
  const continues = Array.from({ length: 16 }, (_, at) => rig.input.damage(at, 'a record is damaged'))
  assert.deepEqual(continues, [...Array.from({ length: 15 }, () => true), false])
  assert.deepEqual(new Set(rig.damages.slice(0, 15)), new Set(['a record is damaged']))
  assert.match(rig.damages[15], /^a record is damaged; too much of this file is damaged/)
})

/** Has skipped frames of two link types. */
class SkippingSink extends RememberingSink {
  override drainUnread(): ReadonlyMap<number, number> {
    return new Map([
      [147, 1],
      [189, 20],
    ])
  }
}

test('file input: reports frames of unreadable link types at the end', async () => {
  const rig = new Rig(file('skipped', pcapFile([{ bytes: tcpFrame() }])), new SkippingSink())
  await rig.input.run(false)
  assert.equal(rig.damages.length, 2)
  assert.match(rig.damages[0], /^1 frame of link type .*147.* cannot be read$/)
  assert.match(rig.damages[1], /^20 frames of link type .*189.* cannot be read$/)
})

test('file input: reports why a path cannot be opened, or that it is a folder', async () => {
  for (const [path, message] of [
    [join(folder, 'none'), /there is no such file$/],
    [folder, /is a directory$/],
  ] as const) {
    await assert.rejects(new Rig(path).input.run(false), { exitCode: EXIT_RUNTIME, message })
  }
})
