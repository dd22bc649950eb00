/** Mutated captures through the whole stage: nothing throws, reading ends, and the law of frames holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FileReader } from '../../../src/capture/files/file-reader.ts'
import { packet, tcp } from '../../support/frames.ts'
import { concat, IntakeRig, PcapngBlocks, pcapFile, tcpFrame } from '../support.ts'

/** Frames of every kind with dedicated code, as raw IP or Ethernet. */
const ETHERNET_FRAMES = Array.from({ length: 30 }, (_, i) => tcpFrame(i * 9, [i, 80]))
const fragments = [0, 2, 4].map((from, i, all) => {
  const payload = concat([tcp(1, 80), new Uint8Array(20)]).subarray(from * 8, from * 8 + 16)
  const fragmentOffset = from | (i < all.length - 1 ? 0x2000 : 0)
  return packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload, fragmentOffset })
})
const extended = packet({
  source: new Array<number>(16).fill(1),
  destination: new Array<number>(16).fill(2),
  protocol: 0,
  payload: concat([Uint8Array.of(44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 9), tcp(1, 80), new Uint8Array(12)]),
})
const b = new PcapngBlocks()
const SEEDS = [
  pcapFile(ETHERNET_FRAMES.map((bytes) => ({ bytes }))),
  pcapFile(
    [...fragments, extended, ...fragments].map((bytes) => ({ bytes })),
    { linkType: 101, little: false },
  ),
  concat([b.section(), b.interface(1), b.interface(101), ...ETHERNET_FRAMES.map((bytes) => b.enhanced(0, 1n, bytes))]),
  concat([b.section(), b.interface(101), ...[...fragments, extended].map((bytes) => b.enhanced(0, 1n, bytes))]),
]

const change = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(), count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(), count: fc.integer({ min: 1, max: 200 }) }),
)

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

function mutate(file: Uint8Array, changes: Change[]): Uint8Array {
  let result: Uint8Array = file.slice()
  for (const one of changes) {
    const at = one.at % (result.length + 1)
    const [head, tail] = [result.subarray(0, at), result.subarray(at)]
    if (one.kind === 'set') result.set(one.bytes.subarray(0, tail.length), at)
    else if (one.kind === 'remove') result = concat([head, tail.subarray(one.count)])
    else result = concat([head, tail.subarray(0, one.count), tail])
  }
  return result
}

test('capture files, mutated: nothing throws, reading ends, the law of frames holds', () => {
  const chunks = fc.integer({ min: 1, max: 3000 })
  fc.assert(
    fc.property(
      fc.constantFrom(...SEEDS),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      chunks,
      (seed, changes, chunk) => {
        const rig = new IntakeRig({ rings: 2, capacity: 16384 })
        const file = mutate(seed, changes)
        let damages = 0
        const reader = new FileReader({
          sink: rig.intake,
          interfaceId: () => 0,
          damage: () => ++damages < 16,
        })
        for (let at = 0; at < file.length; at += chunk) reader.push(file.subarray(at, at + chunk))
        reader.end()
        rig.intake.finish()
        const { seen, accounted } = rig.law()
        assert.equal(accounted, seen)
        assert.equal(rig.take(0).length + rig.take(1).length, rig.count('queued'))
        assert.ok(damages <= 17)
      },
    ),
    { numRuns: 1500 },
  )
})
