/**
 * The WebAssembly head scanner against a straightforward implementation of RFC 9112, on heads built from known parts.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ANOMALIES,
  ANOMALY_FOLDED,
  ANOMALY_LENGTH_IGNORED,
  ANOMALY_MALFORMED_FIELD,
  CODING,
  CODING_CHUNKED,
  CODING_NONE,
  CODING_OTHER,
  CONTENT_LENGTH,
  END,
  FIELD_BYTES,
  FIELD_COUNT,
  FIELDS_AT,
  FIRST_END,
  FIRST_START,
  HEAD_COMPLETE,
  HEAD_INCOMPLETE,
  HEAD_INVALID,
  LENGTH_ABSENT,
  LENGTH_INVALID,
  METHOD,
  METHOD_CONNECT,
  METHOD_HEAD,
  METHOD_OTHER,
  RESULTS_AT,
  RULE_FIELD_COUNT,
  RULE_FIELDS_AT,
  SCANNER_END,
  SECOND_END,
  SECOND_START,
  STATUS,
} from '../../../src/assemble/core/head/layout.ts'

/** Room for a head. */
const INPUT_BYTES = 128 * 1024
/** Exports of the part of the assembler's program that reads heads. */
interface Scanner {
  scan(at: number, end: number, isResponse: number, lengths: number): number
}

const PAGES = Math.ceil((SCANNER_END + INPUT_BYTES) / 65_536)
const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES })
const view = new DataView(memory.buffer)
const bytes = new Uint8Array(memory.buffer)
const input = SCANNER_END
const program = new WebAssembly.Module(readFileSync(new URL('./head.wasm', import.meta.url)))
const scanner = new WebAssembly.Instance(program, { env: { memory } }).exports as unknown as Scanner
const encoder = new TextEncoder()
const decoder = new TextDecoder('latin1')

const text = (start: number, end: number): string => decoder.decode(bytes.subarray(start, end))
const result = (offset: number): number => view.getInt32(RESULTS_AT + offset, true)

/** Scans bytes followed by garbage, as in a segment whose rest is in memory. */
function scan(head: string | Uint8Array, isResponse = false, lengths = 0): number {
  const content = typeof head === 'string' ? encoder.encode(head) : head
  bytes.fill(0x0a, input, input + content.length + 64)
  bytes.set(content, input)
  return scanner.scan(input, input + content.length, isResponse ? 1 : 0, lengths)
}

const fieldAt = (at: number): [string, string] => {
  const [name, nameEnd, value, valueEnd] = [0, 4, 8, 12].map((offset) => view.getInt32(at + offset, true))
  return [text(name, nameEnd), text(value, valueEnd)]
}

const fields = (): [string, string][] =>
  Array.from({ length: result(FIELD_COUNT) }, (_, index) => fieldAt(FIELDS_AT + index * FIELD_BYTES))

const chars = (from: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...from), minLength, maxLength, size: 'max' })
const name = chars('abcXYZ09-_!#$%&*+.^|~', 1, 40)
/** A field value: no white space at its ends and no control bytes; colons and commas may occur. */
const value = chars('abc XYZ09-:,;="/\t\u007e', 0, 60).map((one) => one.trim())
interface Field {
  name: string
  value: string
  before: string
  after: string
  lineEnd: string
}
const field: fc.Arbitrary<Field> = fc.record({
  name,
  value,
  before: fc.constantFrom(' ', '', '\t', '  \t'),
  after: fc.constantFrom('', '', ' ', '\t '),
  lineEnd: fc.constantFrom('\r\n', '\n'),
})
const lines = fc.array(field, { maxLength: 30 })
const written = (all: readonly Field[]): string =>
  all.map((one) => `${one.name}:${one.before}${one.value}${one.after}${one.lineEnd}`).join('')

const METHODS = new Map([
  ['HEAD', METHOD_HEAD],
  ['CONNECT', METHOD_CONNECT],
])

test('head scanner: finds start line and fields, and reports a head as incomplete before its last byte', () => {
  const method = fc.constantFrom('GET', 'HEAD', 'CONNECT', 'PROPFIND', 'M-SEARCH', 'HEADX')
  const target = chars('/abc?=&%20:*@[]', 1, 60)
  fc.assert(
    fc.property(method, target, lines, (verb, path, all) => {
      const head = `${verb} ${path} HTTP/1.1\r\n${written(all)}\r\n`
      for (let end = 0; end < head.length; end++) assert.equal(scan(head.slice(0, end)), HEAD_INCOMPLETE, `at ${end}`)
      assert.equal(scan(head), HEAD_COMPLETE)
      assert.equal(result(END), input + head.length)
      assert.equal(text(result(FIRST_START), result(FIRST_END)), verb)
      assert.equal(text(result(SECOND_START), result(SECOND_END)), path)
      assert.equal(result(METHOD), METHODS.get(verb) ?? METHOD_OTHER)
      assert.deepEqual(
        fields(),
        all.map((one) => [one.name, one.value]),
      )
      assert.equal(result(ANOMALIES), 0)
    }),
    { numRuns: 40 },
  )
})

test('head scanner: finds status and reason', () => {
  const reason = chars('abc XYZ-', 0, 30).map((one) => one.trim())
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), reason, lines, (status, phrase, all) => {
      const head = `HTTP/1.1 ${status}${phrase === '' ? '' : ` ${phrase}`}\r\n${written(all)}\r\n`
      assert.equal(scan(head, true), HEAD_COMPLETE)
      assert.equal(result(STATUS), status)
      assert.equal(text(result(SECOND_START), result(SECOND_END)), phrase)
      assert.equal(result(FIELD_COUNT), all.length)
    }),
  )
})

test('head scanner: lists the fields whose names have one of the wanted lengths', () => {
  fc.assert(
    fc.property(lines, fc.integer(), (all, lengths) => {
      assert.equal(scan(`GET / HTTP/1.1\r\n${written(all)}\r\n`, false, lengths), HEAD_COMPLETE)
      const listed = Array.from({ length: result(RULE_FIELD_COUNT) }, (_, index) => {
        return fieldAt(FIELDS_AT + view.getInt32(RULE_FIELDS_AT + index * 4, true) * 4)
      })
      const wanted = all.filter((one) => ((lengths >>> Math.min(one.name.length, 31)) & 1) !== 0)
      assert.deepEqual(
        listed,
        wanted.map((one) => [one.name, one.value]),
      )
    }),
  )
})

const LENGTHS: [string[], number][] = [
  [[], LENGTH_ABSENT],
  [['Content-Length: 0'], 0],
  [['content-LENGTH:42'], 42],
  [['Content-Length: 42', 'Content-Length: 42'], 42],
  [['Content-Length: 42, 42'], 42],
  [['Content-Length: 42', 'Content-Length: 43'], LENGTH_INVALID],
  [['Content-Length: 42,'], LENGTH_INVALID],
  [['Content-Length: -1'], LENGTH_INVALID],
  [['Content-Length: 9007199254740991'], Number.MAX_SAFE_INTEGER],
  [['Content-Length: 9007199254740993'], LENGTH_INVALID],
]

test('head scanner: reads Content-Length as RFC 9112 §6.3 requires', () => {
  for (const [content, expected] of LENGTHS) {
    assert.equal(scan(['GET / HTTP/1.1', ...content, '', ''].join('\r\n')), HEAD_COMPLETE)
    assert.equal(view.getFloat64(RESULTS_AT + CONTENT_LENGTH, true), expected, content.join())
  }
})

/** Fields, the resulting coding of a request and of a response, and anomalies. */
const CODINGS: [string[], number, number, number][] = [
  [[], CODING_NONE, CODING_NONE, 0],
  [['Transfer-Encoding: chunked'], CODING_CHUNKED, CODING_CHUNKED, 0],
  [['transfer-encoding:gzip, CHUNKED'], CODING_CHUNKED, CODING_CHUNKED, 0],
  [['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], CODING_CHUNKED, CODING_CHUNKED, 0],
  [['Transfer-Encoding: chunked, gzip'], CODING_OTHER, CODING_OTHER, 0],
  [['Transfer-Encoding: chunked;x=1'], CODING_OTHER, CODING_OTHER, 0],
  [['Transfer-Encoding: identity'], CODING_NONE, CODING_NONE, 0],
  [['Transfer-Encoding: chunked, chunked'], CODING_OTHER, CODING_CHUNKED, 0],
  [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], CODING_OTHER, CODING_CHUNKED, 0],
  [['Transfer-Encoding: ,chunked'], CODING_OTHER, CODING_CHUNKED, 0],
  [['Transfer-Encoding : chunked'], CODING_OTHER, CODING_NONE, 0],
  [['Content-Length: 5', 'Transfer-Encoding: chunked'], CODING_OTHER, CODING_CHUNKED, ANOMALY_LENGTH_IGNORED],
]

test('head scanner: only the last transfer coding decides (RFC 9112 §6.1), unless servers disagree', () => {
  for (const [content, ofRequest, ofResponse, anomalies] of CODINGS) {
    for (const [line, coding] of [
      ['GET / HTTP/1.1', ofRequest],
      ['HTTP/1.1 200 OK', ofResponse],
    ] as const) {
      assert.equal(scan([line, ...content, '', ''].join('\r\n'), line !== 'GET / HTTP/1.1'), HEAD_COMPLETE)
      assert.deepEqual([result(CODING), result(ANOMALIES)], [coding, anomalies], `${line} ${content.join()}`)
    }
  }
})

test('head scanner: joins folded lines, and reports lines without a colon', () => {
  assert.equal(scan('GET / HTTP/1.1\r\nA: b\r\n c\r\nD:\r\n\te\r\nnot a field\r\n\r\n'), HEAD_COMPLETE)
  assert.deepEqual(fields(), [
    ['A', 'b\r\n c'],
    ['D', 'e'],
    ['not a field', ''],
  ])
  assert.equal(result(ANOMALIES), ANOMALY_FOLDED | ANOMALY_MALFORMED_FIELD)
})

const INVALID: [string, boolean][] = [
  ['GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n', false],
  ['GET / HTTP/1.1\r\nA\u0001B: c\r\n\r\n', false],
  ['GET / HTTP/3.0\r\n\r\n', false],
  ['GET HTTP/1.1\r\n\r\n', false],
  ['G(T / HTTP/1.1\r\n\r\n', false],
  [' GET / HTTP/1.1\r\n\r\n', false],
  ['HTTP/1.1 99 Low\r\n\r\n', true],
  ['HTTP/1.1 2000 Long\r\n\r\n', true],
  ['GET / HTTP/1.1\r\n\r\n', true],
]

test('head scanner: rejects what recipients interpret differently', () => {
  for (const [head, isResponse] of INVALID) assert.equal(scan(head, isResponse), HEAD_INVALID, JSON.stringify(head))
})

test('head scanner: returns a result within the input for any bytes', () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    chars('GET /HTP1.\r\n: ab', 0, 300).map((one) => encoder.encode(one)),
  )
  fc.assert(
    fc.property(content, fc.boolean(), (head, isResponse) => {
      const verdict = scan(head, isResponse)
      assert.ok([HEAD_COMPLETE, HEAD_INCOMPLETE, HEAD_INVALID].includes(verdict))
      if (verdict !== HEAD_COMPLETE) return
      assert.ok(result(END) <= input + head.length)
      for (let at = FIELDS_AT; at < FIELDS_AT + result(FIELD_COUNT) * FIELD_BYTES; at += 4) {
        const address = view.getInt32(at, true)
        assert.ok(address >= input && address <= result(END))
      }
    }),
    { numRuns: 2000 },
  )
})
