import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../../src/net/ip-address.ts'

test('address: parses IPv4 as one word', () => {
  assert.deepEqual(parseAddress('10.0.0.2'), [0x0a000002])
  assert.deepEqual(parseAddress('255.255.255.255'), [0xffffffff])
})

test('address: parses IPv6 as four words in every notation', () => {
  assert.deepEqual(parseAddress('::'), [0, 0, 0, 0])
  assert.deepEqual(parseAddress('::1'), [0, 0, 0, 1])
  assert.deepEqual(parseAddress('fd77::'), [0xfd770000, 0, 0, 0])
  assert.deepEqual(parseAddress('2001:db8:0:1:2:3:4:5'), [0x20010db8, 1, 0x00020003, 0x00040005])
  assert.deepEqual(parseAddress('fe80::1%eth0'), [0xfe800000, 0, 0, 1])
  assert.deepEqual(parseAddress('64:ff9b::192.0.2.33'), [0x0064ff9b, 0, 0, 0xc0000221])
})

test('address: parses IPv4-mapped IPv6 as IPv4, as on the wire', () => {
  assert.deepEqual(parseAddress('::ffff:10.0.0.2'), [0x0a000002])
  assert.deepEqual(parseAddress('::ffff:a00:2'), [0x0a000002])
})

test('address: rejects other texts', () => {
  for (const text of ['', 'localhost', '10.0.0', '1.2.3.4.5', ':::', '12345::']) {
    assert.throws(() => parseAddress(text), TypeError, text)
  }
})

test('address: every IPv6 address is parsed into the groups from which it was written', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }), (groups) => {
      fc.pre(groups.slice(0, 5).some((group) => group !== 0))
      const words = parseAddress(groups.map((group) => group.toString(16)).join(':'))
      assert.deepEqual(
        words.flatMap((word) => [word >>> 16, word & 0xffff]),
        groups,
      )
    }),
  )
})
