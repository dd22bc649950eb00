/** Unusual responses from the tests of llhttp and picohttpparser, interpreted as by most deployed clients. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { count } from '../../../src/ledger/ledger.ts'
import { assemble, type HarnessOptions } from '../../support/assemble-harness.ts'
import { TcpScript } from '../../support/tcp-script.ts'

const SMALL: HarnessOptions = { messageBytes: 65_536, pairBytes: 65_536, poolBytes: 1024 * 1024, flows: 16 }

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`
const answer = (target: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

describe('forms: responses', () => {
  const CHUNKS = '4\r\nform\r\n0\r\n\r\n'

  /** The emitted body, or null. @param closed the server closes instead of continuing */
  function bodyOf(bytes: string, closed: boolean): string | null {
    const script = new TcpScript()
      .handshake()
      .client(get('/first'))
      .server(answer('/first'))
      .client(get('/form'))
      .server(bytes)
    if (closed) script.fin('server').fin('client').ack('server')
    else script.client(get('/next')).server(answer('/next')).client(get('/last')).server(answer('/last')).close()
    const run = assemble(script, SMALL)
    const own = run.pairs.filter(({ request }) => request.target === '/form')
    assert.deepEqual(
      run.pairs
        .filter((pair) => !own.includes(pair))
        .map(({ request, response }) => [request.target, text(response.body)]),
      (closed ? ['/first'] : ['/first', '/next', '/last']).map((target) => [target, target]),
      JSON.stringify(bytes),
    )
    assert.equal(count(run.ledger, 'requests.abandoned.doubtful'), 1 - own.length, JSON.stringify(bytes))
    return own.length === 0 ? null : text(own[0].response.body)
  }

  const good = [
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200',
    'HTTP/1.1 200 ',
    'HTTP/1.1  200 OK',
    'HTTP/1.1 200  OK',
    'HTTP/1.0 200 OK',
    'HTTP/1.9 200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/1.1 999 OK',
    'HTTP/1.1 200 O\x00K',
    'HTTP/1.1 200 \xe9',
    '\r\nHTTP/1.1 200 OK',
    '\n\nHTTP/1.1 200 OK',
  ]
  const bad = [
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 200\tOK',
    'http/1.1 200 OK',
    'HTTP/2 200 OK',
    'HTTP/0.9 200 OK',
    'HTTP/5.6 200 OK',
    'HTTP/1. 200 OK',
    'HTTP/1.2z 200 OK',
    'HTTP/01.1 200 OK',
    'HTTP/11.1 200 OK',
    'HTTP/1.01 200 OK',
    'HTTP/1 200 OK',
    'HTP/1.1 200 OK',
    'HTTPER/1.1 200 OK',
    'ICY 200 OK',
    'RTSP/1.0 200 OK',
    'HTTP/1.1 2 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 000 OK',
    'HTTP/1.1 -200 OK',
    'HTTP/1.1 200.5 OK',
    'HTTP/1.1 2x0 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1 OK',
    'HTTP/1.1',
    ' HTTP/1.1 200 OK',
    'xHTTP/1.1 200 OK',
  ]
  for (const line of [...good, ...bad]) {
    test(`${JSON.stringify(line)} is ${good.includes(line) ? 'a' : 'no'} status line`, () => {
      assert.equal(bodyOf(`${line}\r\nContent-Length: 4\r\n\r\nform`, false), good.includes(line) ? 'form' : null)
    })
  }

  /** Fields, the bytes that follow them, and the emitted body if the connection continues, and if it closes. */
  const framed: [string, string, string | null, string | null][] = [
    ...['4', '04', ' 4 ', '4, 4', '4\r\nContent-Length: 4', '4\r\nTransfer-Encoding: identity'].map(
      (value) => [`Content-Length:${value}`, 'form', 'form', 'form'] as [string, string, string, string],
    ),
    ...[
      '+4',
      '-4',
      '4.0',
      '0x4',
      '4 4',
      '4, 5',
      '4\r\nContent-Length: 5',
      '',
      'abc',
      '4abc',
      '4;',
      '99999999999999999999',
      '4\r\n X',
    ].map((value) => [`Content-Length: ${value}`, 'form', null, null] as [string, string, null, null]),
    ...[
      'chunked',
      'CHUNKED',
      'chunked, chunked',
      ',chunked',
      'gzip, chunked',
      '\r\n chunked',
      'chunked\r\nContent-Length: 4',
      'chunked\r\nContent-Length: 14',
      'chunked\r\nTransfer-Encoding: chunked',
    ].map((value) => [`Transfer-Encoding: ${value}`, CHUNKS, 'form', 'form'] as [string, string, string, string]),
    ...[
      'chunked,',
      'chunked, gzip',
      'chunked;a=b',
      '"chunked"',
      'chunked x',
      '\x0bchunked',
      'xchunked',
      'chunked\x00',
      'gzip',
    ].map((value) => [`Transfer-Encoding: ${value}`, CHUNKS, null, CHUNKS] as [string, string, null, string]),
    ['Transfer-Encoding : chunked', CHUNKS, null, CHUNKS],
    ['Content-Length : 4', 'form', 'form', 'form'],
    ['X: y\r\n Content-Length: 4', 'form', null, 'form'],
    ['X: y\nContent-Length: 4', 'form', 'form', 'form'],
    ['X: y\rContent-Length: 4', 'form', null, null],
    ['X\x00: y\r\nContent-Length: 4', 'form', null, null],
    ['no colon\r\nContent-Length: 4', 'form', 'form', 'form'],
    [':\r\nContent-Length: 4', 'form', 'form', 'form'],
    ['X: \x00\x01\x7f\xff\r\nContent-Length: 4', 'form', 'form', 'form'],
    ['X@ (): y\r\nContent-Length: 4', 'form', 'form', 'form'],
    ['Connection: close\r\nContent-Length: 4', 'form', 'form', 'form'],
    ['Content-Type: multipart/byteranges; boundary=x', '--x\r\n\r\na\r\n--x--', null, '--x\r\n\r\na\r\n--x--'],
  ]
  for (const [fields, body, goesOn, closes] of framed) {
    test(`${JSON.stringify(fields)}: ${goesOn === null ? 'the end is unknown if the connection continues' : 'its end is known'}`, () => {
      const bytes = `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`
      assert.deepEqual([bodyOf(bytes, false), bodyOf(bytes, true)], [goesOn, closes])
    })
  }
})
