import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { aggregateCidrs } from '../../src/net/aggregate-cidrs.ts'

test('aggregateCidrs: merges adjacent networks and removes contained ones', () => {
  const cases: [string[], string[]][] = [
    [[], []],
    [['10.244.1.0/24', '10.244.0.0/24'], ['10.244.0.0/23']],
    [
      ['10.244.1.0/24', '10.244.2.0/24'],
      ['10.244.1.0/24', '10.244.2.0/24'],
    ],
    [['10.96.0.0/16', '10.96.3.4', '10.96.0.0/12'], ['10.96.0.0/12']],
    [['192.0.2.3', '192.0.2.2', '192.0.2.1', '192.0.2.0'], ['192.0.2.0/30']],
    [['10.0.0.9/8'], ['10.0.0.0/8']],
    [
      ['fd44:0:0:1::/64', 'FD44::/64', '10.0.0.1'],
      ['10.0.0.1/32', 'fd44::/63'],
    ],
    [
      ['::ffff:10.0.0.1', 'fe80::1%eth0'],
      ['10.0.0.1/32', 'fe80::1/128'],
    ],
    [
      ['0.0.0.0/1', '128.0.0.0/1', '::/0'],
      ['0.0.0.0/0', '::/0'],
    ],
    [['nonsense', '10.0.0.0/33', '10.0.0.0/x', ''], []],
  ]
  for (const [networks, expected] of cases) assert.deepEqual(aggregateCidrs(networks), expected, networks.join())
})

test('aggregateCidrs: contains the same addresses as its input', () => {
  const blockList = (networks: string[]): BlockList => {
    const list = new BlockList()
    for (const network of networks) {
      const [address, prefix] = network.split('/')
      list.addSubnet(address, Number(prefix))
    }
    return list
  }
  const octet = fc.integer({ min: 0, max: 7 })
  const network = fc.tuple(octet, octet, fc.integer({ min: 20, max: 32 }))
  fc.assert(
    fc.property(fc.array(network, { maxLength: 12 }), fc.array(fc.tuple(octet, octet)), (networks, addresses) => {
      const texts = networks.map(([third, fourth, prefix]) => `10.0.${third}.${fourth}/${prefix}`)
      const joined = aggregateCidrs(texts)
      assert.ok(joined.length <= texts.length)
      const [before, after] = [blockList(texts), blockList(joined)]
      for (const [third, fourth] of addresses) {
        const address = `10.0.${third}.${fourth}`
        assert.equal(after.check(address), before.check(address), address)
      }
    }),
  )
})
