import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'

const COMMANDS = [
  'bench/run.js',
  'bench/load.js',
  'test/run.js',
  'test/soak/soak.js',
  'test/soak/worker-kills.js',
  'test/assemble/oracle/fuzz.js',
]

const run = (command: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(ROOT, 'dist', command), ...args], { encoding: 'utf8' })

for (const command of COMMANDS) {
  test(`${command}: --help prints the options and ends with 0`, () => {
    const { status, stdout, stderr } = run(command, '--help')
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /^Usage: npm (?:run|test) /)
  })

  test(`${command}: an unknown option is one line that names it, with exit code 2`, () => {
    const { status, stdout, stderr } = run(command, '--unknown')
    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, /^[^\n]*--unknown[^\n]*\n$/)
  })
}

const WRONG_VALUES = [
  ['test/soak/soak.js', '--minutes', 'five'],
  ['test/soak/worker-kills.js', '--kills', '-1'],
  ['test/assemble/oracle/fuzz.js', '--frames', '0'],
  ['bench/load.js', '--start-ms', 'soon'],
  ['bench/run.js', '--only', 'onlin'],
] as const

for (const [command, option, value] of WRONG_VALUES) {
  test(`${command}: ${option} ${value} is one line that names it, with exit code 2`, () => {
    const { status, stdout, stderr } = run(command, `${option}=${value}`)
    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, new RegExp(`^[^\n]*${option} ${value}[^\n]*\n$`))
  })
}
