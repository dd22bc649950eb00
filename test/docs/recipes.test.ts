/** The Go consumer in docs/pair.md is run as it is written; test/e2e/kafka-ship.test.ts runs the others, against a broker. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { makePair } from '../ship/support.ts'

const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'pair.md'), 'utf8')
const value = Buffer.from(packPair(makePair(7))).toString('base64')

/** The first block of a language, as it is on the page. */
function recipe(language: string): string {
  const block = page.match(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``))
  assert.ok(block !== null, `docs/pair.md has no ${language}`)
  return block[1]
}

test('docs: the Go consumer reads consecutive values', { skip: needs('go') }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-recipe-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'main.go'), recipe('go'))
  const required = 'require github.com/vmihailenco/msgpack/v5 v5.4.1'
  writeFileSync(join(folder, 'go.mod'), `module recipe\n\ngo 1.21\n\n${required}\n`)
  execFileSync('go', ['mod', 'tidy'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const input = Buffer.concat([Buffer.from(value, 'base64'), Buffer.from(value, 'base64')])
  const printed = execFileSync('go', ['run', '.'], { cwd: folder, input, encoding: 'utf8' })
  const line = `${makePair(7).id} GET /orders/7 200 ${makePair(7).response.body.length}\n`
  assert.equal(printed, line + line)
})
