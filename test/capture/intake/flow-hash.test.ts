import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assemblerOf, flowHash } from '../../../src/capture/intake/flow-hash.ts'
import { collidingClient } from '../../support/colliding-clients.ts'
import { packet, tcp } from '../../support/frames.ts'

function hashOf(source: number[], destination: number[], ports: [number, number], secret = 0): number {
  const bytes = packet({ source, destination, protocol: 6, payload: tcp(...ports) })
  const version = source.length === 4 ? 4 : 6
  return flowHash(new DataView(bytes.buffer), version, 0, version === 4 ? 20 : 40, secret)
}

test('flowHash: is equal in both directions', () => {
  const port = fc.nat(65535)
  for (const length of [4, 16]) {
    const address = fc.array(fc.nat(255), { minLength: length, maxLength: length })
    fc.assert(
      fc.property(address, address, port, port, (a, b, p, q) => {
        assert.equal(hashOf(a, b, [p, q]), hashOf(b, a, [q, p]))
      }),
    )
  }
})

test('flowHash: connections chosen for equal hashes differ under another secret', () => {
  const byHash = new Map<number, [number[], number]>()
  const chosen: [[number[], number], [number[], number]][] = []
  for (let i = 0; chosen.length < 20; i += 1) {
    const address = [10, (i >> 16) & 255, (i >> 8) & 255, i & 255]
    const port = (i * 7919) & 0xffff
    // Equal in the 16 bits that choose a bucket of a small table.
    const hash = hashOf(address, [10, 255, 0, 1], [port, 80]) & 0xffff
    const other = byHash.get(hash)
    if (other !== undefined) chosen.push([other, [address, port]])
    byHash.set(hash, [address, port])
  }
  const hash = ([address, port]: [number[], number]): number =>
    hashOf(address, [10, 255, 0, 1], [port, 80], 0x5eed5eed) & 0xffff
  assert.ok(chosen.filter(([a, b]) => hash(a) === hash(b)).length <= 2)
})

test('flowHash: 65,000 connections chosen for one hash are spread over the assemblers by a secret', () => {
  const SYNS = 65_000
  const ASSEMBLERS = 4
  const hashes = (secret: number): number[] =>
    Array.from({ length: SYNS }, (_, port) => hashOf(collidingClient(port), [10, 255, 0, 1], [port, 80], secret))
  assert.equal(new Set(hashes(0)).size, 1)
  const keyed = hashes(0x5eed5eed)
  assert.ok(new Set(keyed).size > SYNS * 0.999)
  const loads = new Array<number>(ASSEMBLERS).fill(0)
  for (const hash of keyed) loads[assemblerOf(hash, ASSEMBLERS)] += 1
  for (const load of loads) assert.ok(Math.abs(load - SYNS / ASSEMBLERS) < SYNS * 0.02, `${loads}`)
})

/** Families of connections as in clusters, for which a weak hash collides. */
const FAMILIES: [name: string, connection: (i: number) => [number[], number[], [number, number]]][] = [
  [
    'ports counting up',
    (i) => [
      [10, 0, 0, 1],
      [10, 0, 0, 2],
      [32768 + i, 8080],
    ],
  ],
  [
    'every second port',
    (i) => [
      [10, 0, 0, 1],
      [10, 0, 0, 2],
      [1024 + 2 * i, 8080],
    ],
  ],
  [
    'clients counting up',
    (i) => [
      [10, 1, i >> 8, i & 255],
      [10, 0, 0, 2],
      [40000, 8080],
    ],
  ],
  [
    'both ends counting up',
    (i) => [
      [10, 1, i >> 8, i & 255],
      [10, 2, i >> 8, i & 255],
      [40000, 8080],
    ],
  ],
  [
    'loopback',
    (i) => [
      [127, 0, 0, 1],
      [127, 0, 0, 1],
      [32768 + i, 8080],
    ],
  ],
  [
    'IPv6 hosts',
    (i) => [[0xfd, ...new Array<number>(13).fill(0), i >> 8, i & 255], new Array<number>(16).fill(1), [9, 80]],
  ],
]

for (const [name, connection] of FAMILIES) {
  test(`flowHash: spreads over the slots: ${name}`, () => {
    const count = 4096
    for (const slots of [2, 3, 8]) {
      const load = new Array<number>(slots).fill(0)
      for (let i = 0; i < count; i++) load[assemblerOf(hashOf(...connection(i)), slots)]++
      const fair = count / slots
      for (const frames of load) assert.ok(Math.abs(frames - fair) < 6 * Math.sqrt(fair), `${slots} slots: ${load}`)
    }
  })

  test(`flowHash: rarely collides: ${name}`, () => {
    const hashes = new Set(Array.from({ length: 4096 }, (_, i) => hashOf(...connection(i))))
    assert.ok(hashes.size >= 4094)
  })
}

test('assemblerOf: every hash has an assembler', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 64 }), (hash, slots) => {
      const slot = assemblerOf(hash, slots)
      assert.ok(slot >= 0 && slot < slots)
    }),
  )
})
