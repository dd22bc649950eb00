import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { PROGRAM } from '../../rig/root.ts'
import { checkLine, doctorExitCode } from '../../src/cli/doctor.ts'
import { type Check, failed, ok, privilege, skipped, warning } from '../../src/doctor/check.ts'
import { nodeVersion } from '../../src/doctor/node-checks.ts'
import { EXIT_PRIVILEGE, EXIT_RUNTIME } from '../../src/errors.ts'
import { keptCodePath } from '../../src/sys/kept-code.ts'
import { CAPTURE, run } from './support.ts'

test('checkLine: formats mark, name, finding and hint', () => {
  assert.equal(checkLine(ok('Node.js', '24.1.0'), false), '✓ Node.js: 24.1.0\n')
  assert.equal(checkLine(skipped('Kafka', 'no broker is configured'), false), '– Kafka: no broker is configured\n')
  const missing = privilege('packet sockets', 'not permitted', 'grant CAP_NET_RAW')
  assert.equal(checkLine(missing, false), '✗ packet sockets: not permitted → grant CAP_NET_RAW\n')
  assert.ok(checkLine(missing, true).startsWith('\x1b[31m✗\x1b[0m packet'))
})

const codes: [string, Check[], number][] = [
  ['no failure', [ok('a', ''), skipped('b', ''), warning('c', '', '')], 0],
  ['a failure', [ok('a', ''), failed('b', '', '')], EXIT_RUNTIME],
  ['a missing privilege among other failures', [failed('a', '', ''), privilege('b', '', '')], EXIT_PRIVILEGE],
]

for (const [title, checks, code] of codes) {
  test(`doctorExitCode: ${title}: ${code}`, () => {
    assert.equal(doctorExitCode(checks), code)
  })
}

test('nodeVersion: rejects versions below the floor', () => {
  assert.equal(nodeVersion('18.20.0').state, 'failed')
  assert.equal(nodeVersion('20.18.3').state, 'failed')
  assert.notEqual(nodeVersion('20.19.0').state, 'failed')
  assert.notEqual(nodeVersion('24.0.0').state, 'failed')
})

test('doctor: prints one line per check, Node.js first', async () => {
  const { stdout, stderr } = await run(['doctor'])
  assert.equal(stderr, '')
  const lines = stdout.trimEnd().split('\n')
  for (const line of lines) assert.match(line, /^[✓✗!–] [^:]+: /)
  assert.match(lines[0], /Node\.js/)
})

test('doctor -o json: prints the checks of the text, with the same exit code', async () => {
  const text = await run(['doctor'])
  const { stdout, code } = await run(['doctor', '-o', 'json'])
  const checks = JSON.parse(stdout) as Check[]
  assert.equal(checks.length, text.stdout.trimEnd().split('\n').length)
  assert.equal(code, text.code)
  for (const { name, state, found } of checks) assert.ok(name !== '' && state !== undefined && found !== undefined)
})

async function webAssembly(options: string): Promise<Check | undefined> {
  const { stdout } = await run(['doctor', '-o', 'json'], { env: { NODE_OPTIONS: options } })
  return (JSON.parse(stdout) as Check[]).find(({ name }) => name === 'WebAssembly')
}

test('doctor: says whether the machine code that the build has kept is used', async () => {
  const compiled = 'compiled by V8 in each run'
  const isKept = existsSync(keptCodePath(join(dirname(PROGRAM), 'assemble', 'core.wasm')))
  const found = isKept ? 'with the machine code that the build has kept' : compiled
  assert.deepEqual(await webAssembly(''), ok('WebAssembly', found))
  assert.deepEqual(await webAssembly('--interpreted-frames-native-stack'), ok('WebAssembly', compiled))
})

test('doctor and read: report that Node.js runs without WebAssembly', async () => {
  const hint = 'start it without flags that disable WebAssembly, such as --jitless'
  const check = await webAssembly('--jitless')
  assert.deepEqual(check, failed('WebAssembly', 'this Node.js runs without WebAssembly', hint))
  const read = await run(['read', CAPTURE], { env: { NODE_OPTIONS: '--jitless' } })
  assert.equal(read.code, EXIT_RUNTIME)
  assert.match(read.stderr, /^interceptor: this Node\.js runs without WebAssembly\nstart it without flags/m)
})
