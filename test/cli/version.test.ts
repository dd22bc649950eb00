import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from './support.ts'

test('version: prints the versions that a bug report needs', async () => {
  const { code, stdout } = await run(['version'])
  assert.equal(code, 0)
  assert.match(
    stdout,
    new RegExp(
      `^interceptor \\d+\\.\\d+\\.\\d+\\nNode\\.js ${process.versions.node}\\n${process.platform} \\S+ ${process.arch}\\n$`,
    ),
  )
})
