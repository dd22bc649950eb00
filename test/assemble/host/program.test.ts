/** What is checked of the compiled programs as a whole. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../../rig/root.ts'

const DISASSEMBLER = join(ROOT, 'node_modules', '.bin', 'wasm-dis')
const PROGRAMS = ['assemble/core.wasm', 'pair/json-core.wasm']

/**
 * The compiler makes one load, with the sign, of `<u64>(<u32>record.field)` where the field is an i32: an address, a key or an offset from
 * 2^31 on would be wrong. Declare such fields u32, and convert signed ones through f64.
 */
for (const program of PROGRAMS) {
  test(`program: ${program} extends no 32-bit field to 64 bits with its sign`, () => {
    const path = join(ROOT, 'dist', 'src', program)
    const text = execFileSync(process.execPath, [DISASSEMBLER, '--all-features', path], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    })
    assert.ok(text.includes('(i64.load '), 'the text is not a program of this kind')
    assert.deepEqual(text.match(/i64\.load32_s(?: offset=\d+)?/g) ?? [], [])
  })
}
