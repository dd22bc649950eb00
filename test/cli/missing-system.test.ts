/** Commands where the system gives them too little: a message with a way out, and no stack trace. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { needs } from '../../rig/needs.ts'
import { EXIT_RUNTIME } from '../../src/errors.ts'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

// Between these, the program, its threads, and its input are what finds no descriptor.
for (const limit of [24, 32, 40]) {
  test(`a limit of ${limit} file descriptors: the commands name the limit`, { skip: needs('linux') }, () => {
    for (const command of ['read -', 'agent --set ship.sink=none']) {
      const script = `ulimit -n ${limit}; exec ${process.execPath} ${MAIN} ${command}`
      const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8', input: '', timeout: 60_000 })
      assert.match(stderr, /^interceptor: this process may not open more files \(EMFILE\)\nRaise its limit .*\n$/)
      assert.equal(status, EXIT_RUNTIME)
    }
  })
}

test('no /proc: capture asks for it', { skip: needs('root', 'unshare') }, () => {
  const script = `mount -t tmpfs none /proc; exec ${process.execPath} ${MAIN} capture -i lo -o none`
  const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.match(stderr, /^interceptor: the proc filesystem is not mounted at \/proc\n.*mount -t proc.*\n$/)
  assert.equal(status, EXIT_RUNTIME)
})
