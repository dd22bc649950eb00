import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CHUNK_DATA, CHUNK_DATA_END, Http1Program, TRAILERS } from './http1-program.ts'

const program = new Http1Program()
const { exports: http1 } = program
const MALFORMED = http1.NOT_CHUNKED.value
const SECTION_BYTES = http1.LONGEST_SECTION.value

/** The data of a stream's chunks up to the last chunk, or MALFORMED. */
function decode(stream: number, segments: Uint8Array[]): string | typeof MALFORMED {
  http1.expectChunked(stream)
  let data = ''
  for (const bytes of segments) {
    const start = program.put(bytes)
    let p = 0
    while (p < bytes.length) {
      if (http1.stateOf(stream) === TRAILERS) return data
      if (http1.stateOf(stream) === CHUNK_DATA) {
        const stop = Math.min(bytes.length, p + http1.remainingOf(stream))
        data += Buffer.from(bytes.subarray(p, stop)).toString('latin1')
        http1.setRemaining(stream, http1.remainingOf(stream) - (stop - p))
        if (http1.remainingOf(stream) === 0) http1.setState(stream, CHUNK_DATA_END)
        p = stop
      } else {
        const next = http1.readChunkFraming(stream, start + p, start + bytes.length)
        if (next === MALFORMED) return MALFORMED
        p = next - start
      }
    }
  }
  return http1.stateOf(stream) === TRAILERS ? data : ''
}

function newStream(): number {
  program.begin()
  const stream = http1.responses(http1.makeConnection())
  http1.beginProgress(stream)
  return stream
}

const decodeText = (...segments: string[]) =>
  decode(
    newStream(),
    segments.map((text) => Buffer.from(text, 'latin1')),
  )

const chunk = fc.record({
  data: fc.string({ minLength: 1, maxLength: 40 }).map((text) => text.replace(/[^\x20-\x7e]/g, 'x')),
  size: fc.constantFrom(
    (n: number) => n.toString(16),
    (n: number) => n.toString(16).toUpperCase().padStart(20, '0'),
    (n: number) => `\t${n.toString(16)} `,
  ),
  tail: fc.constantFrom('\r\n', '\n', ';a=b\r\n', ' ;"\x01"\r\n'),
})

test('chunked: decodes the data as sent, for any segmentation', () => {
  fc.assert(
    fc.property(fc.array(chunk), fc.array(fc.nat(400), { maxLength: 8 }), (chunks, cuts) => {
      const body = chunks.map(({ data, size, tail }) => `${size(data.length)}${tail}${data}\r\n`).join('')
      const bytes = Buffer.from(`${body}0\r\n`, 'latin1')
      const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
      const segments = edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge))
      const stream = newStream()
      assert.equal(decode(stream, segments), chunks.map(({ data }) => data).join(''))
      assert.equal(http1.stateOf(stream), TRAILERS)
    }),
  )
})

test('chunked: an invalid size, or one without a line end, is malformed', () => {
  for (const text of ['\r\n', 'g\r\n', '5 5\r\nhello', '-1\r\n', '1\rx', '1\r\nab\r\n', `${'f'.repeat(14)}\r\n`]) {
    assert.equal(decodeText(text), MALFORMED, JSON.stringify(text))
  }
})

test('chunked: an extension ends with CR LF, and contains no other CR or LF', () => {
  for (const line of ['2;x\n', '2;\n', '2;x\ry\r\n', '2;\r\r\n', '2;"\r"\r\n']) {
    for (let cut = 0; cut <= line.length; cut++) {
      assert.equal(
        decodeText(line.slice(0, cut), line.slice(cut), 'ok\r\n0\r\n'),
        MALFORMED,
        JSON.stringify([line, cut]),
      )
    }
  }
})

test('chunked: a line over the limit is malformed, for any segmentation', () => {
  const half = 'x'.repeat(SECTION_BYTES / 2)
  assert.equal(decodeText('1;', half, `${half.slice(2)}\r\n`, 'a\r\n0\r\n'), 'a')
  assert.equal(decodeText('1;', half, `${half}x`), MALFORMED)
  assert.equal(decodeText('0'.repeat(SECTION_BYTES), '0'), MALFORMED)
})
