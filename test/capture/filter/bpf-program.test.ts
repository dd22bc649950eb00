/** The interpreter against libpcap's own, on random packets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { needs } from '../../../rig/needs.ts'
import { BpfProgram, loadsAncillary } from '../../../src/capture/filter/bpf-program.ts'
import { ffi, withAddress } from '../../../src/sys/ffi.ts'
import { type BpfInstruction, encodeInstructions } from '../../../src/sys/packet.ts'
import { compileExpression, DLT_EN10MB } from '../../../src/sys/pcap-compile.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'

const run = (program: readonly BpfInstruction[], data: Uint8Array, end = data.length, wireLength = data.length) =>
  new BpfProgram(program).run(new DataView(data.buffer, data.byteOffset), 0, end, wireLength)

/** bpf_filter(3) of libpcap. */
function libpcapFilter(): (program: readonly BpfInstruction[], data: Uint8Array, wireLength: number) => number {
  const lib = ffi().load('libpcap.so.0.8')
  const filter = lib.func('bpf_filter', 'uint32', ['void *', 'void *', 'uint32', 'uint32'])
  return (program, data, wireLength) => {
    const instructions = encodeInstructions(program)
    // Never a null pointer, also for no bytes.
    const bytes = Buffer.alloc(data.length + 1)
    bytes.set(data)
    return withAddress(instructions, (program) =>
      withAddress(bytes, (packet) => filter(program, packet, wireLength, data.length)),
    )
  }
}

const EXPRESSIONS = [
  'tcp port 80',
  'udp or icmp',
  'ip6 and tcp dst port 443',
  'vlan 100 and tcp port 8080',
  'vlan and vlan 7 and ip',
  'ether host 02:00:00:00:00:01',
  'multicast',
  'greater 60',
  'less 60',
  'len > 50 and len < 100',
  'ip[0] & 0xf != 5',
  'tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420',
  'ip[2:2] - ((ip[0] & 0xf) << 2) > 40',
  'ip[8] * 3 / 2 > 50 or ip[8] % 7 = 3',
  'net 10.0.0.0/8 and not portrange 1000-2000',
  'mpls 16 and host 10.0.0.2',
  'pppoes and ip',
  'geneve 1 and tcp',
  'arp',
]

/** Frames of many kinds, some of whose bytes are changed. */
const frames = fc
  .record({
    tags: fc.array(fc.constantFrom(0x8100, 0x88a8), { maxLength: 2 }),
    ethertype: fc.constantFrom(undefined, undefined, 0x0806, 0x8847, 0x8864),
    six: fc.boolean(),
    protocol: fc.constantFrom(1, 6, 6, 6, 17, 58),
    ports: fc.constantFrom([1234, 80], [8080, 5000], [443, 443], [1500, 6081]),
    optionBytes: fc.constantFrom(0, 0, 12),
    changes: fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 5 }),
    extra: fc.nat(60),
    cut: fc.nat(80),
  })
  .map(({ tags, ethertype, six, protocol, ports, optionBytes, changes, extra, cut }) => {
    const addresses = six
      ? { source: new Array<number>(16).fill(3), destination: new Array<number>(16).fill(4) }
      : { source: [10, 0, 0, 1], destination: [10, 0, 0, 2] }
    const payload = Uint8Array.from([...tcp(ports[0], ports[1]), ...new Uint8Array(extra)])
    const inner = packet({ ...addresses, protocol, payload, optionBytes: six ? 0 : optionBytes })
    const data = ethernet({ tags, payload: inner, ...(ethertype === undefined ? {} : { ethertype }) })
    for (const [at, value] of changes) if (at < data.length) data[at] = value
    return { data: data.slice(0, Math.max(0, data.length - cut)), wireLength: data.length }
  })

test('BPF program: agrees with libpcap on real filters', { skip: needs('libpcap') }, () => {
  const theirs = libpcapFilter()
  const programs = EXPRESSIONS.map((expression) => compileExpression(expression, DLT_EN10MB, 1000))
  const accepted = new Set<string>()
  fc.assert(
    fc.property(frames, ({ data, wireLength }) => {
      for (const [i, program] of programs.entries()) {
        const expected = theirs(program, data, wireLength)
        assert.equal(run(program, data, data.length, wireLength), expected, EXPRESSIONS[i])
        if (expected > 0) accepted.add(EXPRESSIONS[i])
      }
    }),
    { numRuns: 3000 },
  )
  assert.ok(accepted.size > EXPRESSIONS.length / 2, `only ${[...accepted].join(', ')} accept anything`)
})

/** Opcodes other than jumps and returns. */
const STEPS = [
  ...[0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80],
  ...[0x01, 0x61, 0x81, 0xb1, 0x02, 0x03, 0x07, 0x87, 0x84],
  ...[0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xa4],
  ...[0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c, 0x9c, 0xac],
]
const JUMPS = [0x15, 0x25, 0x35, 0x45, 0x1d, 0x2d, 0x3d, 0x4d]

const RETURN_A: BpfInstruction = { code: 0x16, jt: 0, jf: 0, k: 0 }

/** Division by a constant 0 and a shift by X over 31 are undefined in C; a kernel rejects such programs. */
const isDefined = ({ code, k }: BpfInstruction): boolean =>
  !((code === 0x34 || code === 0x94) && k === 0) && code !== 0x6c && code !== 0x7c

/** Scratch memory has 16 words, and a constant shift fewer than 32 bits. */
function inRange(one: BpfInstruction): BpfInstruction {
  if ([0x60, 0x61, 0x02, 0x03].includes(one.code)) return { ...one, k: one.k & 15 }
  return one.code === 0x64 || one.code === 0x74 ? { ...one, k: one.k & 31 } : one
}

/** Initialise scratch memory, because libpcap does not. */
const CLEAR_SCRATCH: BpfInstruction[] = Array.from({ length: 16 }, (_, k) => ({ code: 0x02, jt: 0, jf: 0, k }))

test('BPF program: agrees with libpcap on random programs', { skip: needs('libpcap') }, () => {
  const theirs = libpcapFilter()
  const operand = fc.oneof(fc.nat(15), fc.nat(70), fc.nat(0xffff), fc.constantFrom(0xffffffff, 0x80000000, 31, 33))
  const step = fc.oneof(
    fc.record({ code: fc.constantFrom(...STEPS), jt: fc.constant(0), jf: fc.constant(0), k: operand }),
    fc.record({ code: fc.constantFrom(...JUMPS), jt: fc.nat(3), jf: fc.nat(3), k: operand }),
  )
  const program = fc
    .array(step, { maxLength: 30, size: 'max' })
    .map((steps) => [...steps.filter(isDefined).map(inRange), ...Array.from({ length: 5 }, () => RETURN_A)])
  fc.assert(
    fc.property(program, fc.uint8Array({ maxLength: 80 }), (instructions, data) => {
      const whole = [...CLEAR_SCRATCH, ...instructions]
      assert.equal(run(whole, data), theirs(whole, data, data.length))
    }),
    { numRuns: 5000 },
  )
})

test('BPF program: does not read past the captured bytes', () => {
  const accepts: BpfInstruction[] = [
    { code: 0x20, jt: 0, jf: 0, k: 4 },
    { code: 0x06, jt: 0, jf: 0, k: 1 },
  ]
  const data = new Uint8Array(16)
  assert.deepEqual([run(accepts, data, 8), run(accepts, data, 7)], [1, 0])
})

test('BPF program: only an expression about the direction needs the kernel', {
  skip: needs('libpcap'),
}, () => {
  assert.equal(loadsAncillary(compileExpression('inbound', DLT_EN10MB, 100)), true)
  for (const expression of EXPRESSIONS)
    assert.equal(loadsAncillary(compileExpression(expression, DLT_EN10MB, 100)), false)
})
