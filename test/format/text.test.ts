import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { createFormat } from '../../src/format/create-format.ts'
import type { FormatOptions } from '../../src/format/output-format.ts'
import { columns } from '../../src/format/terminal.ts'
import { timeOfDay } from '../../src/format/units.ts'
import type { Header, Pair } from '../../src/pair/pair.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { anyPair, samplePair } from '../pair/samples.ts'

const OPTIONS: FormatOptions = { decode: true, color: false, width: null, verbose: false, version: '0.1.0' }

function print(pairs: Pair[], options: Partial<FormatOptions> = {}): string[] {
  const format = createFormat('text', { ...OPTIONS, ...options })
  const text = [format.begin(), ...pairs.map((pair) => format.pair(packPair(pair))), format.end()].join('')
  assert.ok(text === '' || text.endsWith('\n'))
  return text.split('\n').slice(0, -1)
}

const body = (text: string | Uint8Array, type: string, ...more: Header[]) => ({
  headers: [['Content-Type', type], ...more] as Header[],
  body: Buffer.from(text),
  bodySize: text.length,
})

/** The lines of the response in `-v`, without their marks. */
const responseLines = (pair: Pair, options: Partial<FormatOptions> = {}): string[] =>
  print([pair], { ...options, verbose: true })
    .filter((line) => line.startsWith('  < '))
    .map((line) => line.slice(4))

/** The lines of the response's body in `-v`. */
const bodyOf = (message: ReturnType<typeof body>): string[] => {
  const lines = responseLines(samplePair({ response: message }))
  return lines.slice(lines.indexOf('') + 1)
}

test('text: prints a pair on one line, its columns in order', () => {
  const [line] = print([samplePair()])
  const time = timeOfDay(samplePair().requestStartMicros)
  const parts = [time, '10.0.0.5:51234', '→', '10.0.0.9:8080', 'POST', '/users?id=1', '200', '554µs', '7', '→', '11']
  assert.deepEqual(line?.split(/ +/), [...parts, 'json', '→', 'json'])
})

test('text: keeps columns aligned once they have grown', () => {
  const pairs = [
    samplePair({ client: { address: '2001:db8::1234', port: 65535, pod: null }, request: { method: 'OPTIONS' } }),
    samplePair({ response: { status: 503 } }),
    samplePair({ request: { target: '/日本語', bodySize: 123_456 }, requestStartMicros: 1795406227123456 }),
  ]
  for (const width of [null, 140]) {
    const starts = print(pairs, { width }).map((line) => {
      const upTo = (mark: string | RegExp) => columns(line.slice(0, line.search(mark)))
      return [upTo('10.0.0.9'), upTo(/POST|OPTIONS/), upTo(/\/users|\/日/), upTo(/[25]0[03] /), upTo('json →')]
    })
    assert.deepEqual(starts[1], starts[0])
    assert.deepEqual(starts[2], starts[0])
  }
})

test('text: prints IPv6 addresses in brackets, pods by name, flags last', () => {
  const pod = { name: 'api-7d', namespace: 'shop', uid: '', workload: null, container: '', labels: {} }
  const client = { address: '::1', port: 1, pod: null }
  const [line] = print([samplePair({ client, server: { address: '10.0.0.9', port: 80, pod }, flags: ['one', 'two'] })])
  assert.match(line, / \[::1\]:1 /)
  assert.match(line, / shop\/api-7d:80 /)
  assert.match(line, / one two$/)
})

test('text: stays within the terminal’s width and truncates the target first', () => {
  const [line] = print([samplePair({ request: { target: `/${'x'.repeat(200)}` } })], { width: 140 })
  assert.equal(columns(line), 140)
  assert.match(line, /x… {2}200 +554µs .* json → json$/)
})

test('text: leaves out columns on a narrow terminal, types first', () => {
  const shown = (width: number) => print([samplePair()], { width })[0]
  assert.match(shown(125), /10\.0\.0\.5.*\/users\?id=1 .*json/)
  assert.match(shown(105), /10\.0\.0\.5.*\/users\?id=1 .*11$/)
  assert.doesNotMatch(shown(80), /10\.0\.0\.5/)
  assert.match(shown(80), /10\.0\.0\.9.*\/users\?id=1 .*200.*554µs/)
  assert.match(shown(30), /^\/users\?id=1 +200$/)
})

test('text: prints no line wider than the terminal, for any pair', () => {
  fc.assert(
    fc.property(
      fc.array(anyPair, { maxLength: 3 }),
      fc.integer({ min: 30, max: 200 }),
      fc.boolean(),
      (pairs, width, verbose) => {
        for (const line of print(pairs, { width, verbose })) assert.ok(columns(line) <= width, line)
      },
    ),
  )
})

test('text: prints no control character, for any pair', () => {
  fc.assert(
    fc.property(anyPair, fc.boolean(), fc.option(fc.integer({ min: 1, max: 200 })), (pair, verbose, width) => {
      assert.doesNotMatch(print([pair], { verbose, width }).join(''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
    }),
  )
})

test('text: prints one line per pair without -v, for any pair', () => {
  fc.assert(
    fc.property(fc.array(anyPair, { maxLength: 4 }), (pairs) =>
      assert.equal(print(pairs).filter((line) => !line.startsWith('-- ')).length, pairs.length),
    ),
  )
})

test('text: prints the same text with and without colour', () => {
  fc.assert(
    fc.property(anyPair, fc.boolean(), fc.option(fc.integer({ min: 1, max: 200 })), (pair, verbose, width) => {
      const coloured = print([pair], { verbose, width, color: true })
      assert.deepEqual(coloured.map(stripVTControlCharacters), print([pair], { verbose, width }))
    }),
  )
})

test('text: colours the status by its class', () => {
  for (const [status, code] of [
    [204, 32],
    [302, 36],
    [404, 33],
    [500, 31],
  ]) {
    const [line] = print([samplePair({ response: { status: status } })], { color: true })
    assert.ok(line.includes(`\u001b[${code}m${status}\u001b[39m`))
  }
})

test('text -v: prints marked heads and bodies, JSON indented', () => {
  const [, ...lines] = print([samplePair()], { verbose: true })
  assert.deepEqual(lines, [
    '  > POST /users?id=1 HTTP/1.1',
    '  > Host: api',
    '  > Content-Type: application/json',
    '  > ',
    '  > {',
    '  >   "a": 1',
    '  > }',
    '  < HTTP/1.1 200 OK',
    '  < Content-Type: application/json',
    '  < ',
    '  < {',
    '  <   "ok": true',
    '  < }',
    '',
  ])
})

test('text -v: prints no empty line without a body', () => {
  assert.deepEqual(responseLines(samplePair({ response: { body: Buffer.alloc(0) } })), [
    'HTTP/1.1 200 OK',
    'Content-Type: application/json',
  ])
})

test('text -v: prints forms decoded and escaped, one field per line', () => {
  assert.deepEqual(bodyOf(body('a=1&b=x+y%26z&c=%1b%5B31m&d', 'application/x-www-form-urlencoded')), [
    'a = 1',
    'b = x y&z',
    'c = \\x1b[31m',
    'd = ',
  ])
})

test('text -v: prints JSON that is sent as a form as JSON', () => {
  assert.deepEqual(bodyOf(body('{"a":1}', 'application/x-www-form-urlencoded')), ['{', '  "a": 1', '}'])
})

test('text -v: prints text line by line, tabs as spaces', () => {
  assert.deepEqual(bodyOf(body('one\r\n\ttwo\nthree\r', 'text/plain')), ['one', '    two', 'three\\x0d'])
})

test('text -v: prints invalid JSON as text', () => {
  assert.deepEqual(bodyOf(body('{"a":1', 'application/json')), ['{"a":1'])
  assert.deepEqual(bodyOf(body('{"a":1}', 'application/problem+json')), ['{', '  "a": 1', '}'])
})

test('text -v: prints size, type and first bytes of a binary body', () => {
  assert.deepEqual(bodyOf(body(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff]), 'image/png')), [
    '<5 bytes of image/png>',
    '0000  89 50 4e 47 ff                                   .PNG.',
  ])
  assert.equal(bodyOf(body(Buffer.alloc(100, 0xff), 'image/png')).at(-1), '… 36 more bytes (--body all prints them)')
})

test('text -v: decodes bodies, or names their coding with --no-decode', () => {
  const response = body(gzipSync('{"ok":true}'), 'application/json', ['Content-Encoding', 'gzip'])
  const pair = samplePair({ response })
  assert.deepEqual(responseLines(pair).slice(-3), ['{', '  "ok": true', '}'])
  assert.ok(
    responseLines(pair, { decode: false }).includes(`<${response.body.length} bytes of application/json, gzip>`),
  )
})

const json = JSON.stringify(Array.from({ length: 10_000 }, (_, index) => index))

test('text -v: prints 100 rows of a body and counts what is left out', () => {
  const lines = bodyOf(body(json, 'application/json'))
  assert.deepEqual(lines.slice(0, 3), ['[', '  0,', '  1,'])
  const printed = JSON.stringify(Array.from({ length: 99 }, (_, index) => index)).length
  assert.equal(lines.length, 101)
  assert.equal(lines.at(-1), `… ${(json.length - printed).toLocaleString('en')} more bytes (--body all prints them)`)
})

test('text -v: counts a long line as the rows that it fills', () => {
  assert.deepEqual(bodyOf(body('x'.repeat(30_001), 'text/plain')), [
    'x'.repeat(20_000),
    '… 10,001 more bytes (--body all prints them)',
  ])
  const onTerminal = responseLines(samplePair({ response: body('x'.repeat(30_001), 'text/plain') }), { width: 54 })
  assert.deepEqual(onTerminal.slice(-2), ['x'.repeat(50), '… 25,001 more bytes (--body all prints them)'])
})

test('text -v: prints as many rows of a body as --body allows', () => {
  const rows = (content: ReturnType<typeof body>, bodyRows: number) => {
    const lines = responseLines(samplePair({ response: content }), { bodyRows })
    return lines.slice(lines.indexOf('') + 1)
  }
  const form = body('a=1&b=2&c=3', 'application/x-www-form-urlencoded')
  assert.deepEqual(rows(form, 2), ['a = 1', 'b = 2', '… 4 more bytes (--body all prints them)'])
  assert.deepEqual(rows(form, 3), ['a = 1', 'b = 2', 'c = 3'])
  assert.deepEqual(rows(form, 0), ['… 11 more bytes (--body all prints them)'])
  assert.equal(rows(body(json, 'application/json'), Number.POSITIVE_INFINITY).length, 10_002)
  assert.equal(rows(body(Buffer.alloc(1000, 0xff), 'image/png'), 10).length, 12)
})

test('text: prints the column after the method at the same place for every common method', () => {
  const methods = ['GET', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT']
  const lines = print(methods.map((method) => samplePair({ request: { method } })))
  assert.equal(new Set(lines.map((line) => line.indexOf('/users'))).size, 1)
})

test('text: prints the date once pairs are of a later day', () => {
  const at = (day: number, hour: number) =>
    samplePair({ requestStartMicros: new Date(2026, 10, day, hour).getTime() * 1000 })
  const lines = print([at(23, 23), at(24, 0), at(23, 23), at(24, 1), at(26, 0)])
  assert.deepEqual(
    lines.map((line) => (line.startsWith('--') ? line : 'pair')),
    ['pair', '-- 2026-11-24 --', 'pair', 'pair', 'pair', '-- 2026-11-26 --', 'pair'],
  )
})

test('text: colours JSON without changing it', () => {
  const response = body('{"a":"x:\\"y\\"","b":[1,-2.5e3,true,null],"c":{"d":"\\u001b[2J"}}', 'application/json')
  const lines = responseLines(samplePair({ response }))
  const coloured = print([samplePair({ response })], { verbose: true, color: true })
  const shown = coloured.map(stripVTControlCharacters).filter((line) => line.startsWith('  < '))
  assert.deepEqual(
    shown.map((line) => line.slice(4)),
    lines,
  )
  assert.ok(coloured.some((line) => line.includes('\x1b[36m"b"\x1b[39m: [')))
})
