import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'
import { buildersFor } from './built-parts.ts'
import { CompiledImports } from './compiled-imports.ts'

for (const [name, builders] of [
  ['e2e/kafka-ship', ['kafka-jars']],
  ['e2e/agent-following', ['kube-apiserver-build']],
  ['discovery/kubernetes/kwok', ['kube-apiserver-build', 'kwok']],
  ['deploy/image', ['image-builder']],
  ['pair/json-writer', []],
] as const) {
  test(`built parts: ${name} needs ${builders.join(' and ') || 'none'}`, () => {
    const file = join(ROOT, 'dist', 'test', `${name}.test.js`)
    assert.deepEqual(buildersFor([file], new CompiledImports()), builders)
  })
}
