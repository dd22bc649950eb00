import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { unbuiltSource } from './build-state.ts'

test('build state: a source that is newer than the last successful build is found', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'build-state-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const folder of ['src/net', 'rig', 'test', 'bench', 'deploy', 'scripts', 'dist/bundle']) {
    mkdirSync(join(root, folder), { recursive: true })
  }
  const [source, program] = [join(root, 'src/net/ip.ts'), join(root, 'dist/bundle/main.js')]
  writeFileSync(source, '')
  utimesSync(source, 1, 1)
  assert.equal(unbuiltSource(root), 'src/net/ip.ts', 'nothing is built')
  writeFileSync(program, '')
  assert.equal(unbuiltSource(root), null)
  const later = Date.now() / 1000 + 100
  utimesSync(source, later, later)
  assert.equal(unbuiltSource(root), 'src/net/ip.ts')
})
