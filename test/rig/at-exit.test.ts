import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { needs } from '../../rig/needs.ts'
import { commandLineOf } from '../../rig/process-tree.ts'
import { ROOT } from '../../rig/root.ts'

/** Creates one of each, prints them, and then ends, or keeps running with its child. */
const PROGRAM = (end: string): string => `
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
const { atExit, temporaryFolder } = await import('${join(ROOT, 'dist/rig/at-exit.js')}')
const { Namespace } = await import('${join(ROOT, 'dist/rig/netns.js')}')
const { killAtExit } = await import('${join(ROOT, 'dist/rig/process-tree.js')}')
atExit(() => { throw new Error('in a cleanup') })
atExit(() => { throw new Error('withdrawn') })()
const folder = temporaryFolder('at-exit-test-')
writeFileSync(folder + '/file', 'text')
const namespace = Namespace.create('atx')
const child = killAtExit(spawn('sleep', ['300'], { stdio: 'ignore' }))
const inside = namespace.spawn('sleep', '300')
console.log(JSON.stringify({ folder, namespace: namespace.path, pids: [child.pid, inside.pid] }))
${end}`

const ENDS: readonly [string, string, NodeJS.Signals | null, number][] = [
  ['an exception that nobody catches', `throw new Error('fails')`, null, 1],
  ['process.exit', 'process.exit(7)', null, 7],
  ['SIGINT', '', 'SIGINT', 130],
  ['SIGTERM', '', 'SIGTERM', 143],
  ['SIGHUP', '', 'SIGHUP', 129],
]

/** A killed process ends a little later; until its parent has reaped it, it has no command line. */
async function ended(pid: number): Promise<void> {
  while (commandLineOf(pid) !== '') await sleep(10)
}

for (const [what, end, signal, code] of ENDS) {
  test(`at exit: ${what} leaves no process, namespace or folder`, {
    skip: needs('root', 'ip'),
    timeout: 60_000,
  }, async () => {
    const program = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM(end)])
    let errors = ''
    program.stderr.on('data', (text) => {
      errors += text
    })
    const closed = once(program, 'close')
    const [line] = (await once(program.stdout, 'data')) as [Buffer]
    const made = JSON.parse(line.toString()) as { folder: string; namespace: string; pids: number[] }
    if (signal !== null) program.kill(signal)
    assert.deepEqual(await closed, [code, null])
    await Promise.all(made.pids.map(ended))
    assert.equal(existsSync(made.namespace), false, 'the namespace')
    assert.equal(existsSync(made.folder), false, 'the folder')
    // A cleanup that throws is reported, and further cleanups run.
    assert.match(errors, /cleaning up failed: in a cleanup/)
    assert.doesNotMatch(errors, /withdrawn/)
  })
}
