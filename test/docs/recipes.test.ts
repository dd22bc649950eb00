/** The consumers in docs/pair.md are run as they are written. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { BASE_MICROS, makePair } from '../ship/support.ts'

const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'pair.md'), 'utf8')
const value = Buffer.from(packPair(makePair(7))).toString('base64')

/** The first block of a language, as it is on the page. */
function recipe(language: string): string {
  const block = page.match(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``))
  assert.ok(block !== null, `docs/pair.md has no ${language}`)
  return block[1]
}

const files: string[] = []
after(() => {
  for (const file of files) rmSync(file, { force: true })
})

/** Beside this file, where Node.js finds the packages of the checkout. */
function program(name: string, content: string): string {
  const path = join(import.meta.dirname, name)
  files.push(path)
  writeFileSync(path, content)
  return path
}

test('docs: the Node.js consumer gets objects and numbers', () => {
  const path = program(`recipe-${process.pid}.mjs`, recipe('js'))
  const stub = `globalThis.consumer = { run: ({ eachMessage }) => eachMessage({ message: {
    headers: { 'content-type': Buffer.from('application/msgpack') }, value: Buffer.from('${value}', 'base64') } }) }`
  const preload = program(`recipe-${process.pid}-consumer.mjs`, stub)
  const printed = execFileSync(process.execPath, ['--import', preload, path], { encoding: 'utf8' })
  assert.equal(printed.trim(), `${makePair(7).id} GET /orders/7 200 ${BASE_MICROS + 7}`)
})

const lacksPython = spawnSync('python3', ['-c', 'import msgpack']).status !== 0

test('docs: the Python consumer', { skip: lacksPython ? 'needs python3 with msgpack' : false }, () => {
  const stub = `import base64
class Message:
    def value(self): return base64.b64decode("${value}")
message = Message()
`
  const path = program(`recipe-${process.pid}.py`, `${stub}${recipe('python')}`)
  const printed = execFileSync('python3', [path], { encoding: 'utf8' })
  assert.match(printed, /^GET \/orders\/7 200 \d+$/m)
})

test('docs: the Go consumer reads values one behind the other', { skip: needs('go') }, (t) => {
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
