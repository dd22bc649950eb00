import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RET_K } from '../../../src/capture/filter/bpf.ts'
import { buildFilter, type FilterRequest } from '../../../src/capture/filter/kernel-filter.ts'
import { addShedRule, SHED_SAMPLE_BYTES, SHED_SAMPLE_RATE } from '../../../src/capture/filter/shed-rule.ts'
import { flowHash } from '../../../src/capture/intake/flow-hash.ts'
import { type BpfPacket, runBpf } from '../../support/bpf-machine.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'

const SNAP = 4000
const NOT_SAMPLED = 1
const REQUEST: FilterRequest = {
  view: 'ethernet',
  outgoing: 'keep',
  exclude: [{ address: null, port: 9999 }],
  onlyAddresses: null,
  onlyPorts: null,
  tunnels: null,
  expression: null,
  snapLength: SNAP,
}

const run = (keep: number, secret: number, bpf: BpfPacket, request = REQUEST): number => {
  const program = addShedRule(buildFilter(request), request.view, keep, secret)
  assert.ok(program !== null)
  return runBpf(program, { random: NOT_SAMPLED, ...bpf })
}

const port = fc.integer({ min: 0, max: 65535 }).filter((value) => value !== 9999)
const address = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes })

for (const [version, bytes] of [
  [4, 4],
  [6, 16],
] as const) {
  test(`shed rule: keeps exactly the IPv${version} connections that the intake keeps`, () => {
    fc.assert(
      fc.property(
        address(bytes),
        address(bytes),
        port,
        port,
        fc.integer(),
        fc.boolean(),
        fc.integer({ min: 1, max: 65535 }),
        (source, destination, from, to, secret, cooked, keep) => {
          const ip = packet({ source: [...source], destination: [...destination], protocol: 6, payload: tcp(from, to) })
          const view = new DataView(ip.buffer, ip.byteOffset, ip.length)
          const hash = flowHash(view, version, 0, version === 4 ? 20 : 40, secret) & 0xffff
          const bpf = cooked
            ? { data: ip, protocol: version === 4 ? 0x0800 : 0x86dd }
            : { data: ethernet({ payload: ip }) }
          const request: FilterRequest = { ...REQUEST, view: cooked ? 'cooked' : 'ethernet' }
          assert.equal(run(keep, secret, bpf, request), hash < keep ? SNAP : 0)
          // Exactly at the threshold, where an error of one bit would show.
          if (hash > 0) assert.equal(run(hash, secret, bpf, request), 0)
          if (hash < 0xffff) assert.equal(run(hash + 1, secret, bpf, request), SNAP)
        },
      ),
      { numRuns: 50 },
    )
  })
}

const frame = (from: number, to: number): Uint8Array =>
  ethernet({
    payload: packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(from, to) }),
  })

test('shed rule: passes one in 256 shed packets, truncated to one byte', () => {
  const shed = frame(4000, 80)
  let passed = 0
  for (let random = 0; random < 2 * SHED_SAMPLE_RATE; random++) {
    const bytes = run(1, 7, { data: shed, random })
    assert.ok(bytes === 0 || bytes === SHED_SAMPLE_BYTES)
    passed += bytes
  }
  assert.equal(passed, 2)
})

test('shed rule: neither keeps nor samples what the usual filter rejects', () => {
  assert.equal(run(65535, 7, { data: frame(4000, 9999), random: 0 }), 0)
})

test('shed rule: passes fragments, tunnelled packets, and packets that an expression accepts', () => {
  const fragment = frame(4000, 80)
  fragment[14 + 6] = 0x20
  assert.equal(run(1, 7, { data: fragment }), SNAP)
  const expression = [{ code: RET_K, jt: 0, jf: 0, k: SNAP }]
  assert.equal(run(65535, 7, { data: frame(4000, 80) }, { ...REQUEST, expression }), SNAP)
  assert.equal(run(65535, 7, { data: frame(4000, 80) }, { ...REQUEST, expression: [{ ...expression[0], k: 0 }] }), 0)
})

test('shed rule: returns null if the filter would be too long', () => {
  const long = Array.from({ length: 4000 }, () => ({ code: RET_K, jt: 0, jf: 0, k: SNAP }))
  assert.equal(addShedRule(long, 'ethernet', 100, 0), null)
})
