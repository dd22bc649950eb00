import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback, isOwnHost, newToken, tokenCheck } from '../../src/ui/access.ts'

test('token: only the whole token passes', () => {
  const token = newToken()
  const passes = tokenCheck(token)
  assert.equal(passes(`Bearer ${token}`), true)
  for (const wrong of [
    undefined,
    '',
    'Bearer ',
    token,
    `Bearer ${token} `,
    `Bearer ${token.slice(1)}`,
    `bearer ${token}`,
  ]) {
    assert.equal(passes(wrong), false, wrong)
  }
})

test('token: each is another one of 192 bits', () => {
  const tokens = new Set(Array.from({ length: 100 }, newToken))
  assert.equal(tokens.size, 100)
  for (const token of tokens) assert.match(token, /^[\w-]{32}$/)
})

test('host: addresses, localhost and the listened name pass; other names do not', () => {
  for (const host of ['127.0.0.1:9465', 'localhost:1', 'LOCALHOST', '[::1]:80', '10.0.0.1', 'Box.Lan:9465']) {
    assert.equal(isOwnHost(host, 'box.lan'), true, host)
  }
  for (const host of [
    undefined,
    '',
    'evil.test',
    'evil.test:9465',
    '127.0.0.1.evil.test',
    'localhost.evil.test',
    '[::1',
  ]) {
    assert.equal(isOwnHost(host, ''), false, host)
  }
})

test('loopback: recognises addresses that no other machine reaches', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.equal(isLoopback(host), true, host)
  for (const host of [undefined, '0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil.test']) {
    assert.equal(isLoopback(host), false, host)
  }
})
