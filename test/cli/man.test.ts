import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { EXIT_USAGE } from '../../src/errors.ts'
import { run } from './support.ts'

/** The output of groff, where it is installed: the page as a terminal shows it, and its warnings. */
function shown(page: string): string {
  const { stdout, stderr, error } = spawnSync('groff', ['-man', '-Tascii', '-ww', '-P-cbou'], { input: page })
  if (error !== undefined) return page
  assert.equal(stderr.toString(), '')
  return stdout.toString()
}

test('man: a page has every option of its command and the examples', async () => {
  const [{ stdout: page, code }, { stdout: help }] = await Promise.all([run(['man', 'tail']), run(['tail', '--help'])])
  assert.equal(code, 0)
  const text = shown(page)
  assert.match(text, /TAIL.*1/)
  const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag)
  assert.ok(flags.length > 20)
  const plain = page.replaceAll('\\-', '-')
  assert.deepEqual(
    flags.filter((flag) => !plain.includes(flag)),
    [],
  )
  assert.match(plain, /\.SH "EXAMPLES"\n\.TP\n\\fBkubectl exec/)
})

test('man: without a command, prints the page of the program, which names the others', async () => {
  const { stdout } = await run(['man'])
  assert.match(shown(stdout).replaceAll(/\s+/g, ' '), /interceptor-read\(1\)/)
})

test('man: rejects an unknown command', async () => {
  const { code, stderr } = await run(['man', 'nothing'])
  assert.equal(code, EXIT_USAGE)
  assert.match(stderr, /there is no command nothing/)
})
