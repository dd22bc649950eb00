import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ROOT } from '../../rig/root.ts'
import { SharedProcess } from './shared-process.ts'

/** The reason why a file with this text, as test/a.js in a folder with these other files, needs its own process. */
function reasonAgainst(t: TestContext, text: string, others: Record<string, string> = {}): string | null {
  const root = mkdtempSync(join(tmpdir(), 'shared-process-'))
  t.after(() => rmSync(root, { recursive: true }))
  const files = { 'test/a.js': text, ...others }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  const reason = new SharedProcess([join(root, 'test')]).reasonAgainst(join(root, 'test/a.js'))
  return reason === null ? null : reason.slice(root.length + 1)
}

test('shared process: files that start nothing and change nothing of the process share it', (t) => {
  const text = `import { after, test } from 'node:test';
import { isIP } from 'node:net';
import { b } from '../src/b.js';
const threads = process.env['THREADS'] === '1' || process.env.MORE === '1';`
  assert.equal(reasonAgainst(t, text, { 'src/b.js': 'export const b = process.memoryUsage();' }), null)
})

for (const [text, reason] of [
  [`import { spawnSync } from 'node:child_process';`, 'node:child_process'],
  [`import { Worker } from 'node:worker_threads';`, 'node:worker_threads'],
  [`import { isIP, createServer as serve } from 'node:net';`, 'node:net'],
  [`import * as net from 'node:net';`, 'node:net'],
  [`import http from 'node:http';`, 'node:http'],
  [`const { request } = await import('node:https');`, 'node:https'],
  [`import koffi from 'koffi';`, 'koffi'],
  [`import { before, test } from 'node:test';`, 'node:test'],
  [`process.env['HOME'] = '/';`, `process.env['HOME'] =`],
  [`delete process.env['HOME'];`, 'delete process.env'],
  [`process.chdir('/');`, 'process.chdir'],
  [`process.on('exit', () => {});`, 'process.on'],
  ['const before = process.memoryUsage();', 'process.memoryUsage'],
  ['fc.configureGlobal({ seed: 1 });', 'configureGlobal'],
]) {
  test(`shared process: \`${text}\` needs its own process`, (t) => {
    assert.equal(reasonAgainst(t, text), `test/a.js: ${reason}`)
  })
}

test('shared process: considers imports, direct and indirect', (t) => {
  const others = {
    'src/b.js': `export { c } from './c.js';`,
    'src/c.js': `export const c = () => import('./d.js');`,
    'src/d.js': `import { Worker } from 'node:worker_threads';`,
  }
  assert.equal(reasonAgainst(t, `import { c } from '../src/b.js';`, others), 'src/d.js: node:worker_threads')
})

test('shared process: of this repository’s tests, those of plain functions share one, and those of programs and threads do not', () => {
  const compiled = join(ROOT, 'dist', 'test')
  const shared = new SharedProcess([compiled])
  const isShared = (name: string): boolean => shared.reasonAgainst(join(compiled, `${name}.test.js`)) === null
  assert.deepEqual(
    ['pair/decode-body', 'kafka/produce-response', 'config/load', 'assemble/tcp/fin'].filter(isShared).length,
    4,
  )
  assert.deepEqual(
    ['cli/read', 'ring/byte-ring', 'admin/server', 'sys/netns', 'assemble/allocation'].filter(isShared),
    [],
  )
})
