/** Commands where the system gives them too little: a message with a way out, and no stack trace. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { needs } from '../../rig/needs.ts'
import { EXIT_RUNTIME } from '../../src/errors.ts'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/** How few descriptors are enough depends on the version of Node.js. */
test('few file descriptors: the commands name the limit, or work', { skip: needs('linux') }, () => {
  const named = new Set<string>()
  for (const limit of [24, 28, 32, 36, 40]) {
    for (const command of ['read -', 'agent --set ship.sink=none']) {
      const script = `ulimit -n ${limit}; exec timeout 5 ${process.execPath} ${MAIN} ${command}`
      const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8', input: '' })
      if (!stderr.includes('EMFILE')) continue
      assert.match(stderr, /^interceptor: this process may not open more files \(EMFILE\)\nRaise its limit .*\n$/m)
      assert.doesNotMatch(stderr, /restarted|^ {4}at /m)
      assert.equal(status, EXIT_RUNTIME)
      named.add(command)
    }
  }
  assert.equal(named.size, 2)
})

test('no /proc: capture asks for it', { skip: needs('root', 'unshare') }, () => {
  const script = `mount -t tmpfs none /proc; exec ${process.execPath} ${MAIN} capture -i lo -o none`
  const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.match(stderr, /^interceptor: the proc filesystem is not mounted at \/proc\n.*mount -t proc.*\n$/)
  assert.equal(status, EXIT_RUNTIME)
})
