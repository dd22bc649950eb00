/** The cases of RFC 9112 §6.3, in its order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CODING_CHUNKED,
  CODING_NONE,
  CODING_OTHER,
  LENGTH_ABSENT,
  LENGTH_INVALID,
  METHOD_CONNECT,
  METHOD_HEAD,
  METHOD_OTHER,
} from '../../../src/assemble/core/head/layout.ts'
import { BODY_CHUNKED, BODY_TO_CLOSE, BODY_UNKNOWABLE, Http1Program } from './http1-program.ts'

type Head = readonly [status: number, contentLength: number, coding: number]

const program = new Http1Program()
const head = (status: number, contentLength: number, coding = CODING_NONE): Head => [status, contentLength, coding]

function requestBody(of: Head): number {
  program.head(...of)
  return program.exports.requestBodyOf()
}

function responseBody(of: Head, method: number): number {
  program.head(...of)
  return program.exports.responseBodyOf(method)
}

function opensTunnel(of: Head, method: number): boolean {
  program.head(...of)
  return program.exports.opensTunnel(method) !== 0
}

test('message-length: a response to HEAD, a 204 and a 304 have no body, whatever their fields announce', () => {
  for (const coding of [CODING_NONE, CODING_CHUNKED, CODING_OTHER]) {
    for (const length of [LENGTH_ABSENT, LENGTH_INVALID, 0, 5]) {
      assert.equal(responseBody(head(200, length, coding), METHOD_HEAD), 0)
      assert.equal(responseBody(head(204, length, coding), METHOD_OTHER), 0)
      assert.equal(responseBody(head(304, length, coding), METHOD_OTHER), 0)
    }
  }
})

test('message-length: 101 and a successful response to CONNECT open a tunnel, and have no body', () => {
  for (const [status, method, opens] of [
    [101, METHOD_OTHER, true],
    [200, METHOD_CONNECT, true],
    [299, METHOD_CONNECT, true],
    [407, METHOD_CONNECT, false],
    [200, METHOD_OTHER, false],
  ] as const) {
    assert.equal(opensTunnel(head(status, 5), method), opens, `${status}`)
    assert.equal(responseBody(head(status, 5), method), opens ? 0 : 5, `${status}`)
  }
})

test('message-length: a transfer coding overrides the length, and ends the message only if chunked is the last', () => {
  for (const length of [LENGTH_ABSENT, LENGTH_INVALID, 5]) {
    assert.equal(requestBody(head(0, length, CODING_CHUNKED)), BODY_CHUNKED)
    assert.equal(responseBody(head(200, length, CODING_CHUNKED), METHOD_OTHER), BODY_CHUNKED)
    assert.equal(requestBody(head(0, length, CODING_OTHER)), BODY_UNKNOWABLE)
    assert.equal(responseBody(head(200, length, CODING_OTHER), METHOD_OTHER), BODY_TO_CLOSE)
  }
})

test('message-length: an invalid length leaves the end unknown; without one, requests have no body and responses extend to the close', () => {
  assert.equal(requestBody(head(0, LENGTH_INVALID)), BODY_UNKNOWABLE)
  assert.equal(responseBody(head(200, LENGTH_INVALID), METHOD_OTHER), BODY_UNKNOWABLE)
  assert.equal(requestBody(head(0, 5)), 5)
  assert.equal(responseBody(head(200, 5), METHOD_OTHER), 5)
  assert.equal(requestBody(head(0, LENGTH_ABSENT)), 0)
  assert.equal(responseBody(head(200, LENGTH_ABSENT), METHOD_OTHER), BODY_TO_CLOSE)
})
