import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback, isOwnHost, newToken, tokenCheck } from '../../src/ui/access.ts'

test('token: accepts only the whole token', () => {
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

test('token: has 192 bits that differ each time', () => {
  const tokens = new Set(Array.from({ length: 100 }, newToken))
  assert.equal(tokens.size, 100)
  for (const token of tokens) assert.match(token, /^[\w-]{32}$/)
})

test('host: accepts addresses, localhost and the name of --listen, and rejects other names', () => {
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

test('loopback: recognises addresses that other machines cannot reach', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.equal(isLoopback(host), true, host)
  for (const host of [undefined, '0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil.test']) {
    assert.equal(isLoopback(host), false, host)
  }
})
