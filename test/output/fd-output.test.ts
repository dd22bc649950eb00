import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { FdOutput } from '../../src/output/fd-output.ts'
import { propertyRuns } from '../support/property-runs.ts'

const folder = mkdtempSync(join(tmpdir(), 'fd-output-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const fifo = join(folder, 'fifo')
execFileSync('mkfifo', [fifo])

/** Both ends of a pipe, neither of which blocks. */
function openPipe(): { reader: number; output: FdOutput } {
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  return { reader, output: new FdOutput(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)) }
}

/** Reads at most `length` bytes of those that are in the pipe. */
function readUpTo(fd: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  try {
    return bytes.subarray(0, readSync(fd, bytes))
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN')
    return bytes.subarray(0, 0)
  }
}

const length = fc.oneof(fc.nat(100), fc.integer({ min: 60_000, max: 70_000 }), fc.integer({ min: 1, max: 200_000 }))
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('text', 'bytes'), length }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read'), length }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush'), length: fc.constant(0) }) },
)

/** A text without repeated parts, in which every second character has three bytes. */
const textFrom = (start: number, count: number): string =>
  Array.from({ length: Math.ceil(count / 4) }, (_, index) => `${(start + index) % 10}→`).join('')

test('fd output: model: a reader receives all that was written, in order, however slowly it reads', () => {
  const property = fc.property(fc.array(step, { minLength: 5, maxLength: 25 }), (steps) => {
    const { reader, output } = openPipe()
    const sent: Buffer[] = []
    const received: Buffer[] = []
    let accepted = 0
    for (const { do: action, length } of steps) {
      if (action === 'read') received.push(readUpTo(reader, length))
      else if (action === 'flush') assert.equal(output.flush() === 'ok', output.pending === 0)
      else {
        const text = textFrom(accepted, length)
        const bytes = Buffer.from(text)
        assert.match(String(output.write(action === 'text' ? text : bytes)), /^(?:ok|later)$/)
        sent.push(bytes)
        accepted += bytes.length
      }
      assert.equal(output.written + output.pending, accepted)
    }
    while (output.flush() === 'later') received.push(readUpTo(reader, 65_536))
    for (let last = readUpTo(reader, 65_536); last.length > 0; last = readUpTo(reader, 65_536)) received.push(last)
    output.close()
    closeSync(reader)
    assert.equal(output.pending, 0)
    assert.ok(Buffer.concat(received).equals(Buffer.concat(sent)))
  })
  fc.assert(property, { numRuns: propertyRuns(80) })
})

test('fd output: writes 64 KiB at once, and a small rest only when it is flushed', () => {
  const path = join(folder, 'file')
  const output = new FdOutput(openSync(path, 'w'))
  output.write('a'.repeat(65_536))
  assert.equal(output.written, 0)
  output.write('b')
  assert.deepEqual([output.written, output.pending], [65_536, 1])
  assert.equal(output.flush(), 'ok')
  assert.equal(readFileSync(path, 'utf8'), `${'a'.repeat(65_536)}b`)
  output.close()
})

test('fd output: reports a reader that has closed the pipe, and keeps what is pending', () => {
  const { reader, output } = openPipe()
  output.write('lost')
  closeSync(reader)
  assert.equal(output.flush(), 'closed')
  assert.equal(output.flush(), 'closed')
  assert.deepEqual([output.written, output.pending], [0, 4])
  output.close()
})

test('fd output: reports a full disk as an error, and keeps what is pending', {
  skip: process.platform !== 'linux',
}, () => {
  const output = new FdOutput(openSync('/dev/full', 'w'))
  output.write('lost')
  const result = output.flush()
  assert.ok(result instanceof Error && /ENOSPC/.test(result.message))
  assert.equal(output.pending, 4)
  output.close()
})

test('fd output: does not close standard output', () => {
  new FdOutput(1).close()
  assert.doesNotThrow(() => fstatSync(1))
})
