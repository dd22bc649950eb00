import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemblerMemory } from '../../../src/assemble/assembler.ts'
import type { ProgramMemory } from '../../../src/assemble/host/memory.ts'
import { assemblerOptions } from '../../support/assemble-harness.ts'

const make = (): ProgramMemory => assemblerMemory(assemblerOptions({}))

test('program memory: texts keep their bytes until they are cleared, and never exceed their region', () => {
  const memory = make()
  memory.clearTexts()
  const texts: [number, Uint8Array][] = []
  const length = 50_001
  while (memory.hasRoom(length)) {
    const text = new Uint8Array(length).fill(texts.length + 1)
    texts.push([memory.addText(text), text])
  }
  assert.ok(texts.length > 50)
  for (const [at, text] of texts) assert.deepEqual(memory.bytes.subarray(at, at + length), text)
  memory.clearTexts()
  assert.ok(memory.hasRoom(length))
  assert.equal(memory.addText(new Uint8Array(1)), texts[0][0])
})

test('program memory: rejects templates that would overlap the results of a scan', () => {
  const memory = make()
  const first = memory.addTemplate(Uint8Array.of(1, 2, 3))
  const second = memory.addTemplate(Uint8Array.of(4))
  assert.deepEqual([...memory.bytes.subarray(first, first + 3)], [1, 2, 3])
  assert.equal(memory.bytes[second], 4)
  assert.throws(() => {
    for (;;) memory.addTemplate(new Uint8Array(100))
  }, /template region is full/)
})

test('program memory: each interface has its own counters, and a number beyond the limit is rejected', () => {
  const memory = make()
  for (const id of [0, 1, 4095]) {
    memory.useInterface(id)
    memory.interfaceCounts(id).fill(id + 1)
  }
  for (const id of [0, 1, 4095]) assert.ok(memory.interfaceCounts(id).every((count) => count === id + 1))
  assert.throws(() => memory.useInterface(4096), RangeError)
})

test('program memory: V8 does not count it as memory of the heap, which would make it collect garbage', () => {
  const before = process.memoryUsage().external
  const { memory } = assemblerMemory(assemblerOptions({ poolBytes: 128 * 2 ** 20 }))
  assert.ok(memory.buffer.byteLength > 128 * 2 ** 20)
  assert.ok(process.memoryUsage().external - before < 16 * 2 ** 20)
})
