import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServerNames, serverId } from '../../src/ui/server-names.ts'
import { samplePair } from '../pair/samples.ts'

const server = (address: string, host: string) =>
  samplePair({ server: { address, port: 80, pod: null }, request: { headers: [['Host', host]] } })

test('server names: uses the first Host field that is not an address, without its port', () => {
  const names = new ServerNames()
  for (const host of ['10.0.0.9:80', '[fd00::1]:80', 'shop.test:80', 'other.test'])
    names.learn(server('10.0.0.9', host))
  assert.deepEqual([names.labelOf('10.0.0.9'), names.labelOf('10.0.0.7')], ['shop.test', '10.0.0.7'])
})

test('server names: distinguishes servers on loopback by their ports', () => {
  assert.equal(serverId({ address: '127.0.0.1', port: 8080, pod: null }), '127.0.0.1:8080')
  assert.equal(serverId({ address: '10.0.0.9', port: 8080, pod: null }), '10.0.0.9')
})

test('server names: bounds the number and length of names', () => {
  const names = new ServerNames()
  for (let number = 0; number < 2000; number += 1)
    names.learn(server(`10.1.${number >> 8}.${number & 255}`, 'a'.repeat(999)))
  assert.equal(names.labelOf('10.1.0.1').length, 100)
  assert.equal(names.labelOf('10.1.7.200'), '10.1.7.200')
})
