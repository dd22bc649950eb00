import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { withNetns } from '../../src/sys/netns.ts'
import { hasCode } from '../../src/sys/system-error.ts'

const whereAmI = () => readlinkSync('/proc/thread-self/ns/net')
const module = JSON.stringify(new URL('../../src/sys/netns.js', import.meta.url).href)

/** Runs a script that has `withNetns` and `path` in a process of its own. */
const inChild = (script: string, path: string, ...wrapper: string[]) => {
  const source = `import { withNetns } from ${module}; const path = ${JSON.stringify(path)}; ${script}`
  const [program, ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', source]
  return spawnSync(program, args, { encoding: 'utf8' })
}

test('netns: runs work in the namespace and returns, also after an exception', {
  skip: needs('root', 'ip'),
}, (t) => {
  const namespace = Namespace.create()
  t.after(() => namespace.delete())
  const home = whereAmI()
  const inside = withNetns(namespace.path, whereAmI)
  assert.notEqual(inside, home)
  assert.equal(whereAmI(), home)
  assert.throws(
    () =>
      withNetns(namespace.path, () => {
        assert.equal(whereAmI(), inside)
        throw new Error('of the work')
      }),
    /of the work/,
  )
  assert.equal(whereAmI(), home)
})

test('netns: leaves no descriptor open', { skip: needs('root', 'ip') }, (t) => {
  const namespace = Namespace.create()
  t.after(() => namespace.delete())
  const count = `(await import('node:fs')).readdirSync('/proc/self/fd').length`
  const script = `withNetns(path, () => 0); const before = ${count}
    for (let i = 0; i < 100; i++) withNetns(path, () => 0)
    console.log(${count} - before)`
  assert.equal(inChild(script, namespace.path).stdout.trim(), '0')
})

test('netns: a path that is not a namespace is an error, and the thread stays in its own', {
  skip: needs('root', 'ip'),
}, () => {
  const home = whereAmI()
  assert.throws(() => withNetns('/run/netns/itl-none', () => 0), /ENOENT/)
  assert.throws(
    () => withNetns('/proc/self/status', () => 0),
    (error) => hasCode(error, 'EINVAL'),
  )
  assert.equal(whereAmI(), home)
})

test('netns: throws EPERM without CAP_SYS_ADMIN', { skip: needs('root', 'ip') }, (t) => {
  const namespace = Namespace.create()
  t.after(() => namespace.delete())
  const { stderr, status } = inChild(
    'withNetns(path, () => 0)',
    namespace.path,
    'setpriv',
    '--bounding-set',
    '-sys_admin',
  )
  assert.notEqual(status, 0)
  assert.match(stderr, /SystemError: setns: .*EPERM/)
})

test('netns: a failed return throws a specific error, which ends the process', { skip: needs('root', 'ip') }, (t) => {
  const namespace = Namespace.create()
  t.after(() => namespace.delete())
  // The work replaces the descriptor of the original namespace.
  const script = `import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'
    const home = readlinkSync('/proc/thread-self/ns/net')
    withNetns(path, () => {
      for (const fd of readdirSync('/proc/self/fd').map(Number)) {
        try { if (readlinkSync('/proc/self/fd/' + fd) !== home) continue } catch { continue }
        closeSync(fd)
        openSync('/dev/null')
      }
    })`
  const { stderr, status } = inChild(script, namespace.path)
  assert.notEqual(status, 0)
  assert.match(stderr, /NetnsReturnError: cannot leave the network namespace/)
})
