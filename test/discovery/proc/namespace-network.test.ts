import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { type NetworkFacts, readNetwork } from '../../../src/discovery/proc/namespace-network.ts'
import { ProcFiles } from '../../../src/discovery/proc/proc-files.ts'
import { type FakeNetwork, FakeProc, podNetwork, route } from '../fake-proc.ts'

const ZEROES = '0'.repeat(32)
const UP = '0001'
const GATEWAY = '0003'

/** A line of /proc/net/ipv6_route. */
const route6 = (
  device: string,
  to: string,
  length: string,
  flags = '00000001',
  metric = '00000400',
  use = '00000000',
) => `${to} ${length} ${ZEROES} 00 ${ZEROES} ${metric} 00000001 ${use} ${flags} ${device.padStart(8)}`

const PREFIX = 'fd440000000000000000000000000000'
const ADDRESS6 = 'fd440000000000000000000000000007 04 40 00 80     eth0'
const LINK_LOCAL = 'fe8000000000000000fc00fffe000001 04 40 20 80     eth0'

function read(t: TestContext, network: FakeNetwork): NetworkFacts {
  const proc = FakeProc.create(t, { pid: 5, network })
  return readNetwork(new ProcFiles(proc.root), 5, null)!.facts
}

test('network: the default route’s interface, and the address in its network', (t) => {
  assert.deepEqual(read(t, podNetwork(7)), {
    interfaces: ['lo', 'eth0'],
    external: { name: 'eth0', by: 'default-route' },
    addresses: ['10.244.0.7'],
    externalAddresses: ['10.244.0.7'],
    interfaceAddresses: ['10.244.0.7'],
  })
})

const external: [string, FakeNetwork, NetworkFacts['external']][] = [
  ['loopback only: none', {}, null],
  ['an interface that is down: none', { devices: ['lo', 'tunl0', 'eth0'] }, null],
  [
    'two default routes: the lower metric',
    {
      devices: ['lo', 'eth0', 'net1'],
      routes: [
        route('eth0', '00000000', '0100F40A', GATEWAY, '00000000', 200),
        route('net1', '00000000', '010010AC', GATEWAY, '00000000', 100),
      ],
    },
    { name: 'net1', by: 'default-route' },
  ],
  [
    'half of the internet is no default route',
    { devices: ['lo', 'eth0'], routes: [route('eth0', '00000000', '0100F40A', GATEWAY, '00000080')] },
    { name: 'eth0', by: 'address' },
  ],
  [
    'a default route that refuses is none',
    { devices: ['lo', 'eth0', 'net1'], routes: [route('net1', '00000000', '00000000', '0201')] },
    null,
  ],
  [
    'IPv6 alone',
    { devices: ['lo', 'eth0'], routes6: [route6('eth0', PREFIX, '40'), route6('eth0', ZEROES, '00')] },
    { name: 'eth0', by: 'default-route' },
  ],
  [
    'IPv4’s default route goes before IPv6’s, whatever the metric',
    {
      devices: ['lo', 'net1', 'eth0'],
      routes: [route('eth0', '00000000', '0100F40A', GATEWAY, '00000000', 4000)],
      routes6: [route6('net1', ZEROES, '00')],
    },
    { name: 'eth0', by: 'default-route' },
  ],
  [
    'IPv6’s catch-all on loopback, which refuses',
    { devices: ['lo', 'eth0'], routes6: [route6('lo', ZEROES, '00', '00200200', 'ffffffff')] },
    null,
  ],
  [
    'no default route: the first that is used',
    {
      devices: ['lo', 'tunl0', 'eth0', 'eth1'],
      routes: [route('eth1', '0000F40A', '00000000', UP), route('eth0', '000010AC', '00000000', UP)],
    },
    { name: 'eth0', by: 'address' },
  ],
  ['an IPv6 address alone', { devices: ['lo', 'eth0'], addresses6: [ADDRESS6] }, { name: 'eth0', by: 'address' }],
]

for (const [title, network, expected] of external) {
  test(`network: ${title}`, (t) => assert.deepEqual(read(t, network).external, expected))
}

test('network: addresses without those of loopback and of the link', (t) => {
  const { addresses } = read(t, {
    ...podNetwork(7),
    addresses6: [ADDRESS6, LINK_LOCAL, `${ZEROES.slice(1)}1 01 80 10 80 lo`],
  })
  assert.deepEqual(addresses, ['10.244.0.7', 'fd44::7'])
})

test('network: addresses that only stand for services are not the host’s', (t) => {
  const facts = read(t, { ...podNetwork(7), addresses: ['10.96.0.1', '10.244.0.7', '10.96.0.10'] })
  assert.deepEqual(facts.externalAddresses, ['10.244.0.7'])
  assert.deepEqual(facts.addresses, ['10.96.0.1', '10.244.0.7', '10.96.0.10'])
})

test('network: a reading that says the same keeps its facts; counters do not count', (t) => {
  const network = { ...podNetwork(7), routes6: [route6('eth0', PREFIX, '40')] }
  const proc = FakeProc.create(t, { pid: 5, network })
  const files = new ProcFiles(proc.root)
  const first = readNetwork(files, 5, null)
  proc.put({
    pid: 5,
    network: { ...network, routes6: [route6('eth0', PREFIX, '40', '00000001', '00000400', '0000002a')] },
  })
  assert.equal(readNetwork(files, 5, first), first)
  proc.put({ pid: 5, network: podNetwork(8) })
  assert.deepEqual(readNetwork(files, 5, first)?.facts.addresses, ['10.244.0.8'])
})

test('network: of a process that is gone there is no reading', (t) => {
  assert.equal(readNetwork(new ProcFiles(FakeProc.create(t).root), 5, null), null)
})

test('network: addresses of Services that IPVS gives the host are no interface’s', (t) => {
  const facts = read(t, {
    devices: ['lo', 'eth0', 'cni0', 'kube-ipvs0'],
    routes: [
      route('eth0', '00000000', '010200C0', GATEWAY),
      route('eth0', '000200C0', '00000000', UP, '00FFFFFF'),
      route('cni0', '0000F40A', '00000000', UP, '00FFFFFF'),
    ],
    addresses: ['192.0.2.2', '10.244.0.1', '10.96.0.1', '10.96.0.10'],
    addresses6: [
      'fd960000000000000000000000000001 05 80 00 80 kube-ipvs0',
      'fd440000000000000000000000000001 04 40 00 80     cni0',
    ],
  })
  assert.deepEqual(facts.externalAddresses, ['192.0.2.2'])
  assert.deepEqual(facts.interfaceAddresses, ['192.0.2.2', '10.244.0.1', 'fd44::1'])
})

test('network: an external interface without a network has the addresses that are in none', (t) => {
  const facts = read(t, {
    devices: ['lo', 'eth0', 'cni0'],
    routes: [route('eth0', '00000000', '0100800A', GATEWAY), route('cni0', '0000F40A', '00000000', UP, '00FFFFFF')],
    addresses: ['10.128.0.5', '10.244.0.1'],
  })
  assert.deepEqual(facts.externalAddresses, ['10.128.0.5'])
  assert.deepEqual(facts.interfaceAddresses, ['10.244.0.1', '10.128.0.5'])
})
