import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { needs } from '../../../rig/needs.ts'
import { MAX_INSTRUCTIONS } from '../../../src/capture/filter/bpf.ts'
import { buildFilter, type FilterRequest, MAX_ADDRESSES } from '../../../src/capture/filter/kernel-filter.ts'
import { ALL_TUNNELS, parseTunnels } from '../../../src/net/tunnels.ts'
import { compileExpression, DLT_EN10MB } from '../../../src/sys/pcap-compile.ts'
import { type BpfPacket, runBpf } from '../../support/bpf-machine.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'
import { OUTER, OUTER6, udp, WRAPPED } from '../wire/tunnel-samples.ts'

const IPV4 = { source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(1234, 80) }
const ADDRESS6 = (last: number) => [0xfd, 0x77, ...new Array<number>(13).fill(0), last]
const IPV6 = { source: ADDRESS6(1), destination: ADDRESS6(2), protocol: 6, payload: tcp(1234, 80) }
const REQUEST: FilterRequest = {
  view: 'ethernet',
  outgoing: 'keep',
  exclude: [],
  onlyAddresses: null,
  tunnels: null,
  onlyPorts: null,
  expression: null,
  snapLength: 262144,
}

const keeps = (request: Partial<FilterRequest>, seen: Uint8Array | BpfPacket): boolean =>
  runBpf(buildFilter({ ...REQUEST, ...request }), seen instanceof Uint8Array ? { data: seen } : seen) > 0

test('bpf: keeps TCP over IPv4 and IPv6 with the whole snap length', () => {
  for (const payload of [packet(IPV4), packet(IPV6), packet({ ...IPV4, optionBytes: 40 })]) {
    assert.equal(runBpf(buildFilter(REQUEST), { data: ethernet({ payload }) }), 262144)
  }
})

test('bpf: rejects what is not TCP', () => {
  for (const payload of [packet({ ...IPV4, protocol: 17 }), packet({ ...IPV4, protocol: 1 })]) {
    assert.equal(keeps({}, ethernet({ payload })), false)
  }
  for (const protocol of [17, 58, 59])
    assert.equal(keeps({}, ethernet({ payload: packet({ ...IPV6, protocol }) })), false)
  assert.equal(keeps({}, ethernet({ ethertype: 0x0806, payload: new Uint8Array(28) })), false, 'ARP')
})

test('bpf: keeps IPv6 with any extension header, because TCP may follow', () => {
  for (const protocol of [0, 43, 44, 51, 60, 135, 139, 140]) {
    assert.equal(keeps({}, ethernet({ payload: packet({ ...IPV6, protocol }) })), true, `next header ${protocol}`)
  }
})

test('bpf: finds the packet behind one and two VLAN tags of every kind', () => {
  for (const tags of [[0x8100], [0x88a8], [0x9100], [0x88a8, 0x8100], [0x8100, 0x8100]]) {
    assert.equal(keeps({}, ethernet({ tags, payload: packet(IPV4) })), true)
    assert.equal(keeps({}, ethernet({ tags, payload: packet(IPV6) })), true)
    assert.equal(keeps({}, ethernet({ tags, payload: packet({ ...IPV4, protocol: 17 }) })), false)
  }
})

test('bpf: reads the packet type of a cooked socket from the kernel, and passes tagged packets', () => {
  assert.equal(keeps({ view: 'cooked' }, { data: packet(IPV4), protocol: 0x0800 }), true)
  assert.equal(keeps({ view: 'cooked' }, { data: packet(IPV6), protocol: 0x86dd }), true)
  assert.equal(keeps({ view: 'cooked' }, { data: packet({ ...IPV4, protocol: 17 }), protocol: 0x0800 }), false)
  assert.equal(
    keeps({ view: 'cooked' }, { data: new Uint8Array(28), protocol: 0x8100 }),
    true,
    'tagged: not decided here',
  )
  assert.equal(keeps({ view: 'cooked' }, { data: new Uint8Array(28), protocol: 0x0806 }), false)
})

test('bpf: drops outgoing copies if configured', () => {
  const data = ethernet({ payload: packet(IPV4) })
  const [outgoing, incoming] = [4, 0]
  assert.equal(keeps({ outgoing: 'keep' }, { data, packetType: outgoing, hardwareType: 772 }), true)
  assert.equal(keeps({ outgoing: 'drop' }, { data, packetType: outgoing, hardwareType: 772 }), false)
  assert.equal(keeps({ outgoing: 'drop' }, { data, packetType: incoming, hardwareType: 772 }), true)
  assert.equal(keeps({ outgoing: 'drop-on-loopback' }, { data, packetType: outgoing, hardwareType: 772 }), false)
  assert.equal(keeps({ outgoing: 'drop-on-loopback' }, { data, packetType: incoming, hardwareType: 772 }), true)
  assert.equal(keeps({ outgoing: 'drop-on-loopback' }, { data, packetType: outgoing, hardwareType: 1 }), true)
})

test('bpf: excludes both directions of an address and port, and nothing else', () => {
  for (const address of ['10.0.0.2', '::ffff:10.0.0.2']) {
    const exclude = [{ address, port: 9092 }]
    const keepsTcp = (source: number[], from: number, destination: number[], to: number) =>
      keeps({ exclude }, ethernet({ payload: packet({ ...IPV4, source, destination, payload: tcp(from, to) }) }))
    const [client, broker] = [IPV4.source, IPV4.destination]
    assert.equal(keepsTcp(client, 5000, broker, 9092), false)
    assert.equal(keepsTcp(broker, 9092, client, 5000), false)
    assert.equal(keepsTcp(client, 9092, broker, 5000), true, 'the port at the other end')
    assert.equal(keepsTcp(client, 5000, broker, 9093), true, 'another port')
    assert.equal(keepsTcp(client, 5000, [10, 0, 0, 3], 9092), true, 'another address')
  }
})

test('bpf: excludes IPv6 endpoints, and ports of any address', () => {
  const exclude = [
    { address: 'fd77::2', port: 9092 },
    { address: null, port: 15001 },
  ]
  const keeps6 = (from: number, to: number) =>
    keeps({ exclude }, ethernet({ payload: packet({ ...IPV6, payload: tcp(from, to) }) }))
  const seen = [keeps6(1, 9092), keeps6(9092, 1), keeps6(1, 15001), keeps6(15001, 1), keeps6(1, 80)]
  assert.deepEqual(seen, [false, true, false, false, true])
  assert.equal(keeps({ exclude }, ethernet({ payload: packet({ ...IPV4, payload: tcp(15001, 1) }) })), false)
  const optioned = packet({ ...IPV4, optionBytes: 12, payload: tcp(15001, 1) })
  assert.equal(keeps({ exclude }, ethernet({ payload: optioned, tags: [0x8100] })), false, 'behind options and a tag')
})

test('bpf: passes authentication headers, behind which there may be TCP', () => {
  for (const addresses of [IPV4, IPV6])
    assert.equal(keeps({}, ethernet({ payload: packet({ ...addresses, protocol: 51 }) })), true)
})

test('bpf: passes later fragments, whose first bytes are not ports', () => {
  const exclude = [{ address: null, port: 80 }]
  assert.equal(keeps({ exclude }, ethernet({ payload: packet({ ...IPV4, fragmentOffset: 0 }) })), false)
  assert.equal(keeps({ exclude }, ethernet({ payload: packet({ ...IPV4, fragmentOffset: 185 }) })), true)
})

test('bpf: passes only the given addresses, at either end, of either family', () => {
  const onlyAddresses = ['192.168.0.1', '10.0.0.2', 'fd77::9', 'fd77::2']
  const keeps4 = (source: number[], destination: number[], more: object = {}) =>
    keeps({ onlyAddresses }, ethernet({ payload: packet({ ...IPV4, source, destination, ...more }) }))
  const [own, other, third] = [IPV4.destination, [10, 0, 0, 3], [10, 0, 1, 2]]
  assert.deepEqual([keeps4(own, other), keeps4(other, own), keeps4(other, third)], [true, true, false])
  assert.equal(keeps4(other, third, { fragmentOffset: 185 }), false, 'a later fragment')
  assert.equal(keeps4(own, other, { fragmentOffset: 185 }), true)
  const keeps6 = (source: number, destination: number, protocol = 6) => {
    const payload = packet({ ...IPV6, source: ADDRESS6(source), destination: ADDRESS6(destination), protocol })
    return keeps({ onlyAddresses }, ethernet({ payload, tags: [0x8100] }))
  }
  assert.deepEqual([keeps6(2, 1), keeps6(1, 9), keeps6(1, 3), keeps6(1, 3, 43)], [true, true, false, false])
  assert.equal(keeps({ onlyAddresses: ['10.0.0.2'] }, ethernet({ payload: packet(IPV6) })), false, 'none of IPv6')
  assert.equal(keeps({ onlyAddresses: [] }, ethernet({ payload: packet(IPV4) })), false, 'none at all')
})

test('bpf: passes only the given ports, at either end, of either family', () => {
  const onlyPorts = [
    { first: 80, last: 80 },
    { first: 8000, last: 8010 },
  ]
  const keeps4 = (from: number, to: number, more: object = {}) =>
    keeps({ onlyPorts }, ethernet({ payload: packet({ ...IPV4, payload: tcp(from, to), ...more }) }))
  const keeps6 = (from: number, to: number) =>
    keeps({ onlyPorts }, ethernet({ payload: packet({ ...IPV6, payload: tcp(from, to) }), tags: [0x8100] }))
  for (const keepsPorts of [keeps4, keeps6]) {
    for (const wanted of [80, 8000, 8005, 8010]) {
      assert.deepEqual([keepsPorts(wanted, 1), keepsPorts(1, wanted)], [true, true], String(wanted))
    }
    for (const unwanted of [79, 81, 7999, 8011, 443]) assert.equal(keepsPorts(unwanted, 1), false, String(unwanted))
  }
  assert.equal(keeps4(1, 2, { fragmentOffset: 185 }), true, 'a later fragment has no ports')
  assert.equal(keeps({ onlyPorts: [] }, ethernet({ payload: packet(IPV4) })), false, 'none at all')
  const excluded = { onlyPorts, exclude: [{ address: null, port: 8005 }] }
  assert.equal(keeps(excluded, ethernet({ payload: packet({ ...IPV4, payload: tcp(1, 8005) }) })), false)
  assert.equal(keeps(excluded, ethernet({ payload: packet({ ...IPV4, payload: tcp(1, 8006) }) })), true)
})

test('bpf: applies addresses and exclusions together', () => {
  const rules = { onlyAddresses: ['10.0.0.2'], exclude: [{ address: null, port: 80 }] }
  const to = (port: number) => keeps(rules, ethernet({ payload: packet({ ...IPV4, payload: tcp(1234, port) }) }))
  assert.deepEqual([to(80), to(81)], [false, true])
})

test('bpf: passes all packets if there are more addresses than it compares', () => {
  const addresses = (count: number) => Array.from({ length: count }, (_, index) => `192.168.1.${index}`)
  const data = ethernet({ payload: packet(IPV4) })
  assert.equal(keeps({ onlyAddresses: addresses(MAX_ADDRESSES) }, data), false)
  assert.equal(keeps({ onlyAddresses: [...addresses(MAX_ADDRESSES - 1), '10.0.0.1'] }, data), true)
  assert.equal(keeps({ onlyAddresses: addresses(MAX_ADDRESSES + 1) }, data), true)
})

test('bpf: supports hundreds of exclusions, and rejects more than the kernel supports', () => {
  const exclusions = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ address: 'fd77::2', port: index + 1 }))
  assert.equal(
    keeps({ exclude: exclusions(150) }, ethernet({ payload: packet({ ...IPV6, payload: tcp(1, 150) }) })),
    false,
  )
  assert.equal(
    keeps({ exclude: exclusions(150) }, ethernet({ payload: packet({ ...IPV6, payload: tcp(1, 151) }) })),
    true,
  )
  assert.throws(() => buildFilter({ ...REQUEST, exclude: exclusions(1000) }), new RegExp(`${MAX_INSTRUCTIONS}`))
})

test('bpf: applies an expression to packets that pass the built-in filter', { skip: needs('libpcap') }, () => {
  const expression = compileExpression('port 80 or udp', DLT_EN10MB, 1000)
  assert.equal(runBpf(buildFilter({ ...REQUEST, expression }), { data: ethernet({ payload: packet(IPV4) }) }), 1000)
  const other = packet({ ...IPV4, payload: tcp(1, 2) })
  assert.equal(keeps({ expression }, ethernet({ payload: other })), false)
  assert.equal(keeps({ expression }, ethernet({ payload: packet({ ...IPV4, protocol: 17 }) })), false, 'UDP stays out')
})

const WIDE = { tunnels: ALL_TUNNELS }

test('bpf: passes every configured tunnel over IPv4 and IPv6, tagged or not; without configuration none', () => {
  for (const [name, protocol, payload] of WRAPPED) {
    for (const addresses of [OUTER, OUTER6]) {
      for (const tags of [[], [0x8100]]) {
        const data = ethernet({ tags, payload: packet({ ...addresses, protocol, payload }) })
        assert.deepEqual(
          [keeps(WIDE, data), keeps({}, data), keeps({ tunnels: parseTunnels([]) }, data)],
          [true, false, false],
          name,
        )
      }
      const bare = {
        data: packet({ ...addresses, protocol, payload }),
        protocol: addresses === OUTER ? 0x0800 : 0x86dd,
      }
      assert.equal(keeps({ ...WIDE, view: 'cooked' }, bare), true, `${name}, cooked`)
    }
  }
})

test('bpf: passes UDP only to configured ports, also behind IP options, and later fragments', () => {
  const tunnels = parseTunnels(['vxlan:6635', 'teredo', 'l2tp'])
  const datagram = (from: number, to: number, more: object = {}) =>
    ethernet({ payload: packet({ ...OUTER, protocol: 17, payload: udp(to, new Uint8Array(40), from), ...more }) })
  const cases: [frame: Uint8Array, kept: boolean][] = [
    [datagram(1, 6635), true],
    [datagram(6635, 1), false],
    [datagram(1, 4789), false],
    [datagram(1, 3544), true],
    [datagram(3544, 1), true],
    [datagram(1701, 1), true],
    [datagram(1, 6635, { optionBytes: 12 }), true],
    [datagram(1, 53, { optionBytes: 12 }), false],
    [datagram(1, 6635, { fragmentOffset: 0x2000 }), true],
    [datagram(1, 53, { fragmentOffset: 0x2000 }), false],
    [datagram(1, 53, { fragmentOffset: 100 }), true],
  ]
  for (const [i, [frame, kept]] of cases.entries()) assert.equal(keeps({ tunnels }, frame), kept, `case ${i}`)
  const six = (port: number) =>
    ethernet({ payload: packet({ ...OUTER6, protocol: 17, payload: udp(port, new Uint8Array(40)) }) })
  assert.deepEqual([keeps({ tunnels }, six(6635)), keeps({ tunnels }, six(53))], [true, false])
})

test('bpf: with tunnels keeps frames of other EtherTypes that carry IP, and SNAP', () => {
  const frames: [name: string, frame: Uint8Array, kept: boolean][] = [
    ['MPLS', ethernet({ ethertype: 0x8847, payload: new Uint8Array(40) }), true],
    ['PPPoE session', ethernet({ ethertype: 0x8864, payload: new Uint8Array(40) }), true],
    ['PPPoE discovery', ethernet({ ethertype: 0x8863, payload: new Uint8Array(40) }), false],
    [
      'SNAP',
      ethernet({ ethertype: 48, payload: Uint8Array.from([0xaa, 0xaa, 3, 0, 0, 0, 8, 0, ...new Uint8Array(40)]) }),
      true,
    ],
    [
      'spanning tree',
      ethernet({ ethertype: 38, payload: Uint8Array.from([0x42, 0x42, 3, ...new Uint8Array(40)]) }),
      false,
    ],
    ['ARP', ethernet({ ethertype: 0x0806, payload: new Uint8Array(28) }), false],
  ]
  for (const [name, frame, kept] of frames)
    assert.deepEqual([keeps(WIDE, frame), keeps({}, frame)], [kept, false], name)
})

test('bpf: tunnels are subject to the addresses and to the expression, not to the exclusions', () => {
  const [, protocol, payload] = WRAPPED.find(([name]) => name === 'VXLAN with IPv4') ?? assert.fail()
  const data = ethernet({ payload: packet({ ...OUTER, protocol, payload }) })
  assert.equal(keeps({ ...WIDE, onlyAddresses: ['192.168.0.2'] }, data), true)
  assert.equal(keeps({ ...WIDE, onlyAddresses: ['10.0.0.1'] }, data), false)
  assert.equal(keeps({ ...WIDE, exclude: [{ address: null, port: 4789 }] }, data), true)
  const refusing = [{ code: 0x06, jt: 0, jf: 0, k: 0 }]
  assert.equal(keeps({ ...WIDE, expression: refusing }, data), false)
})

test('bpf: agrees with libpcap about which untagged frames are TCP', { skip: needs('libpcap') }, () => {
  const ours = buildFilter(REQUEST)
  const extensions = [0, 43, 44, 51, 60, 135, 139, 140].map((type) => `ip6[6] = ${type}`).join(' or ')
  const theirs = compileExpression(
    `ip proto 6 or ip proto 51 or (ip6 and (ip6[6] = 6 or ${extensions}))`,
    DLT_EN10MB,
    262144,
  )
  const header = fc.record({
    ethertype: fc.constantFrom(0x0800, 0x86dd, 0x0806, 0x8847),
    payload: fc.uint8Array({ minLength: 40, maxLength: 60 }),
    protocol: fc.constantFrom(0, 1, 6, 17, 43, 44, 50, 51, 58, 60),
  })
  fc.assert(
    fc.property(header, ({ ethertype, payload, protocol }) => {
      payload[ethertype === 0x86dd ? 6 : 9] = protocol
      const data = ethernet({ ethertype, payload })
      assert.equal(runBpf(ours, { data }), runBpf(theirs, { data }))
    }),
    { numRuns: 2000 },
  )
})
