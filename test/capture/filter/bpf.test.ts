import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  assembleBpf,
  JEQ_K,
  jump,
  jumpIf,
  jumpUnless,
  type Line,
  label,
  op,
  place,
  RET_K,
} from '../../../src/capture/filter/bpf.ts'
import { runBpf } from '../../support/bpf-machine.ts'

/** Instructions that change nothing. */
/** Any instruction that reads the packet. */
const LD_B_ABS = 0x30
const padding = (count: number): Line[] => Array.from({ length: count }, () => op(LD_B_ABS, 0))

test('BPF assembler: jumps reach their labels over any distance', () => {
  const distances = fc.array(fc.constantFrom(0, 1, 100, 252, 253, 254, 255, 256, 300, 1000), { maxLength: 6 })
  fc.assert(
    fc.property(distances, fc.nat(10), (between, first) => {
      const places = between.map((_, i) => label(`${i}`))
      const lines: Line[] = [
        op(LD_B_ABS, 0),
        ...places.map((to, i) => jumpIf(JEQ_K, i, to)),
        op(RET_K, 99),
        ...places.flatMap((at, i) => [...padding(between[i]), op(RET_K, 0), place(at), op(RET_K, i + 1)]),
      ]
      const expected = first < between.length ? first + 1 : 99
      assert.equal(runBpf(assembleBpf(lines), { data: Uint8Array.of(first) }), expected)
    }),
  )
})

test('BPF assembler: jumps if a test fails, and without a test', () => {
  for (const distance of [1, 300]) {
    const [other, end] = [label('other'), label('end')]
    const lines: Line[] = [
      op(LD_B_ABS, 0),
      jumpUnless(JEQ_K, 7, other),
      jump(end),
      ...padding(distance),
      place(other),
      op(RET_K, 1),
      ...padding(distance),
      place(end),
      op(RET_K, 2),
    ]
    const program = assembleBpf(lines)
    assert.deepEqual([runBpf(program, { data: Uint8Array.of(7) }), runBpf(program, { data: Uint8Array.of(8) })], [2, 1])
  }
})

test('BPF assembler: rejects backward jumps and labels without a position', () => {
  const at = label('there')
  assert.throws(() => assembleBpf([place(at), jump(at)]), /there/)
  assert.throws(() => assembleBpf([jump(at)]), /there/)
})
