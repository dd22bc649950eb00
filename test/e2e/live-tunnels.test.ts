/** `interceptor capture` on the interface where a tunnel's packets arrive: a port mirror or an overlay. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { PROGRAM } from '../../rig/root.ts'
import { bytes, OUTER, OUTER6, TUNNELS, udp, vxlan } from '../capture/wire/tunnel-samples.ts'
import { ethernet, packet, pcapFile } from '../support/frames.ts'
import { encodeFrames } from '../support/tcp-frames.ts'
import { TcpScript } from '../support/tcp-script.ts'

const ETHERNET_BYTES = 14
const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'

/** The packets of one exchange on a separate connection. */
const exchange = (target: string, port: number): Uint8Array[] =>
  encodeFrames(
    new TcpScript({ clientIsn: port * 100_000, serverIsn: port * 90_000 })
      .handshake()
      .client(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
      .server(RESPONSE).segments,
    { client: { address: '10.0.0.5', port } },
  ).map(({ bytes: frame }) => frame.subarray(ETHERNET_BYTES))

/** Asserts which targets the pairs have when frames are replayed into one end of a veth and captured on the other. */
async function assertCaptured(t: TestContext, frames: Uint8Array[], args: string[], targets: string[]): Promise<void> {
  const [left, right] = Namespace.pair()
  const folder = mkdtempSync(join(tmpdir(), 'itl-tunnels-'))
  t.after(() => {
    left.delete()
    right.delete()
    rmSync(folder, { recursive: true })
  })
  const file = join(folder, 'frames.pcap')
  writeFileSync(file, pcapFile(frames))
  const command = ['netns', 'exec', right.name, process.execPath, PROGRAM, 'capture', '-o', 'ndjson', ...args]
  const env = { ...process.env, INTERCEPTOR_CAPTURE_WARM_UP: 'false' }
  const program = spawn('ip', command, { stdio: ['ignore', 'pipe', 'pipe'], env })
  t.after(() => program.kill('SIGKILL'))
  let output = ''
  program.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  let log = ''
  program.stderr.on('data', (chunk) => {
    log += String(chunk)
  })
  while (!log.includes('capturing on')) {
    assert.equal(program.exitCode, null, log)
    await Promise.race([once(program.stderr, 'data'), once(program, 'close')])
  }
  // From now on nothing may be lost, although the threads are still starting.
  left.exec('tcpreplay', '-q', '-i', 'eth0', file)
  program.kill('SIGINT')
  await once(program, 'close')
  const lines = output.split('\n').slice(0, -1)
  assert.deepEqual(lines.map((line) => JSON.parse(line).request.target as string).sort(), targets, log)
}

const skip = needs('root', 'ip', 'tcpreplay')

/** The frames that carry one inner packet. */
const OUTSIDES: ((inner: Uint8Array) => Uint8Array[])[] = [
  ...TUNNELS.map(({ protocol, wrap }) => (inner: Uint8Array) => [
    ethernet({ payload: packet({ ...OUTER, protocol: protocol(inner), payload: wrap(inner) }) }),
  ]),
  // Two VLAN tags, two MPLS labels, IPv4 in IPv6.
  (inner) => [ethernet({ tags: [0x88a8, 0x8100], payload: inner })],
  (inner) => [ethernet({ ethertype: 0x8847, payload: bytes([0, 6, 64, 64, 0, 12, 129, 64], inner) })],
  (inner) => [ethernet({ payload: packet({ ...OUTER6, protocol: 4, payload: inner }) })],
  (inner) => inOverlappingFragments(udp(4789, vxlan(inner))),
]

/** A UDP packet in two fragments that share eight bytes, the second one first. */
function inOverlappingFragments(payload: Uint8Array): Uint8Array[] {
  const fragment = (fragmentOffset: number, part: Uint8Array) =>
    ethernet({ payload: packet({ ...OUTER, protocol: 17, fragmentOffset, payload: part }) })
  const more = 0x2000
  return [fragment(40 / 8, payload.subarray(40)), fragment(more, payload.subarray(0, 48))]
}

for (const device of ['eth0', 'any']) {
  test(`tunnels live: reads every tunnel on ${device}`, { skip }, async (t) => {
    const frames = OUTSIDES.flatMap((wrap, i) => exchange(`/${i}`, 5000 + i).flatMap(wrap))
    await assertCaptured(t, frames, ['-i', device], OUTSIDES.map((_, i) => `/${i}`).sort())
  })
}

test('tunnels live: reads a UDP tunnel at the port in capture.tunnels', { skip }, async (t) => {
  const mirrored = (port: number, target: string) =>
    exchange(target, port).map((inner) =>
      ethernet({ payload: packet({ ...OUTER, protocol: 17, payload: udp(port, vxlan(inner)) }) }),
    )
  const frames = [...mirrored(6636, '/named'), ...mirrored(4789, '/usual')]
  await assertCaptured(t, frames, ['-i', 'eth0', '--set', 'capture.tunnels=vxlan:6636'], ['/named'])
})

test('tunnels live: an expression applies to the outer packets', {
  skip: needs('root', 'ip', 'tcpreplay', 'libpcap'),
}, async (t) => {
  const inner = exchange('/mirrored', 5000)
  const frames = [
    ...inner.map((payload) =>
      ethernet({ payload: packet({ ...OUTER, protocol: 17, payload: udp(4789, vxlan(payload)) }) }),
    ),
    ...exchange('/plain', 5001).map((payload) => ethernet({ payload })),
  ]
  await assertCaptured(t, frames, ['-i', 'eth0', 'udp port 4789'], ['/mirrored'])
})

test('filters live: `vlan` and `ether host` have the same meaning as in tcpdump', {
  skip: needs('root', 'ip', 'tcpreplay', 'libpcap'),
}, async (t) => {
  const tagged = exchange('/tagged', 5000).map((payload) => ethernet({ tags: [0x8100], payload }))
  const frames = [...tagged, ...exchange('/plain', 5001).map((payload) => ethernet({ payload }))]
  await assertCaptured(t, frames, ['-i', 'eth0', 'vlan 100 and tcp port 8080'], ['/tagged'])
  await assertCaptured(t, frames, ['-i', 'eth0', 'vlan 200'], [])
  await assertCaptured(t, frames, ['-i', 'eth0', 'ether host 02:00:00:00:00:01 and not vlan'], ['/plain'])
})
