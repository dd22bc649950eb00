import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { type NetworkFacts, readNetwork } from '../../../src/discovery/proc/interfaces.ts'
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

test('readNetwork: finds the interface of the default route and the address in its network', (t) => {
  assert.deepEqual(read(t, podNetwork(7)), {
    interfaces: ['lo', 'eth0'],
    external: { name: 'eth0', by: 'default-route' },
    further: [],
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
    'a /1 route is not a default route',
    { devices: ['lo', 'eth0'], routes: [route('eth0', '00000000', '0100F40A', GATEWAY, '00000080')] },
    { name: 'eth0', by: 'address' },
  ],
  [
    'a reject route is not a default route',
    { devices: ['lo', 'eth0', 'net1'], routes: [route('net1', '00000000', '00000000', '0201')] },
    null,
  ],
  [
    'IPv6 alone',
    { devices: ['lo', 'eth0'], routes6: [route6('eth0', PREFIX, '40'), route6('eth0', ZEROES, '00')] },
    { name: 'eth0', by: 'default-route' },
  ],
  [
    'IPv4 before IPv6, regardless of the metric',
    {
      devices: ['lo', 'net1', 'eth0'],
      routes: [route('eth0', '00000000', '0100F40A', GATEWAY, '00000000', 4000)],
      routes6: [route6('net1', ZEROES, '00')],
    },
    { name: 'eth0', by: 'default-route' },
  ],
  [
    'IPv6’s reject route on loopback',
    { devices: ['lo', 'eth0'], routes6: [route6('lo', ZEROES, '00', '00200200', 'ffffffff')] },
    null,
  ],
  [
    'no default route: the first interface with a route',
    {
      devices: ['lo', 'tunl0', 'eth0', 'eth1'],
      routes: [route('eth1', '0000F40A', '00000000', UP), route('eth0', '000010AC', '00000000', UP)],
    },
    { name: 'eth0', by: 'address' },
  ],
  ['an IPv6 address alone', { devices: ['lo', 'eth0'], addresses6: [ADDRESS6] }, { name: 'eth0', by: 'address' }],
]

for (const [title, network, expected] of external) {
  test(`readNetwork: external interface: ${title}`, (t) => assert.deepEqual(read(t, network).external, expected))
}

test('readNetwork: further interfaces have an address or a route, and are neither bridges nor tunnels', (t) => {
  const devices = ['lo', 'eth0', 'net1', 'macvlan0', 'idle0', 'docker0', 'br-0a1b2c3d4e5f', 'tunl0', 'wg0']
  const routed = ['net1', 'docker0', 'br-0a1b2c3d4e5f', 'tunl0', 'wg0']
  const facts = read(t, {
    devices,
    routes: [
      route('eth0', '00000000', '0100F40A', GATEWAY),
      ...routed.map((name) => route(name, '000010AC', '00000000', UP)),
    ],
    addresses6: ['fd440000000000000000000000000008 05 40 00 80 macvlan0'],
  })
  assert.equal(facts.external?.name, 'eth0')
  assert.deepEqual(facts.further, ['net1', 'macvlan0', 'wg0'])
})

test('readNetwork: leaves out loopback and link-local addresses', (t) => {
  const { addresses } = read(t, {
    ...podNetwork(7),
    addresses6: [ADDRESS6, LINK_LOCAL, `${ZEROES.slice(1)}1 01 80 10 80 lo`],
  })
  assert.deepEqual(addresses, ['10.244.0.7', 'fd44::7'])
})

test('readNetwork: addresses outside the interface’s network are not external', (t) => {
  const facts = read(t, { ...podNetwork(7), addresses: ['10.96.0.1', '10.244.0.7', '10.96.0.10'] })
  assert.deepEqual(facts.externalAddresses, ['10.244.0.7'])
  assert.deepEqual(facts.addresses, ['10.96.0.1', '10.244.0.7', '10.96.0.10'])
})

test('readNetwork: returns the earlier reading if nothing but counters changed', (t) => {
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

test('readNetwork: returns null for a process that has exited', (t) => {
  assert.equal(readNetwork(new ProcFiles(FakeProc.create(t).root), 5, null), null)
})

test('readNetwork: leaves out Service addresses of kube-proxy’s IPVS mode', (t) => {
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

test('readNetwork: attributes addresses in no network to an external interface without one', (t) => {
  const facts = read(t, {
    devices: ['lo', 'eth0', 'cni0'],
    routes: [route('eth0', '00000000', '0100800A', GATEWAY), route('cni0', '0000F40A', '00000000', UP, '00FFFFFF')],
    addresses: ['10.128.0.5', '10.244.0.1'],
  })
  assert.deepEqual(facts.externalAddresses, ['10.128.0.5'])
  assert.deepEqual(facts.interfaceAddresses, ['10.244.0.1', '10.128.0.5'])
})
