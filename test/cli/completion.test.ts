import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { run } from './support.ts'

const script = async (shell: string): Promise<string> => (await run(['completion', shell])).stdout

/** What bash offers for a line whose last word is being typed. */
function offered(completion: string, words: string[]): string[] {
  const code = `${completion}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _interceptor; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['-c', code, 'bash', ...words], { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
  return stdout.split('\n').filter((word) => word !== '')
}

test('completion bash: offers commands, options, choices and subcommands', { skip: needs('bash') }, async () => {
  const completion = await script('bash')
  assert.deepEqual(offered(completion, ['interceptor', 're']), ['read'])
  assert.deepEqual(offered(completion, ['interceptor', 'read', '--min']), ['--min-latency'])
  assert.deepEqual(offered(completion, ['interceptor', 'tail', '-o', 'nd']), ['ndjson'])
  assert.deepEqual(offered(completion, ['interceptor', 'config', 'v']), ['validate'])
  assert.deepEqual(offered(completion, ['interceptor', 'completion', '']), ['bash', 'zsh', 'fish'])
  // Files: no word of our own.
  assert.deepEqual(offered(completion, ['interceptor', 'read', '-w', '']), [])
})

test('completion zsh: is a valid script', { skip: needs('zsh') }, async () => {
  const { status, stderr } = spawnSync('zsh', ['-n'], { input: await script('zsh'), encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
})

test('completion fish: is a valid script', { skip: needs('fish') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-fish-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'interceptor.fish')
  writeFileSync(file, await script('fish'))
  const { status, stderr } = spawnSync('fish', ['--no-execute', file], { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
})

test('completion: every shell gets every command and the choices of -o', async () => {
  for (const shell of ['zsh', 'fish']) {
    const text = await script(shell)
    for (const word of [
      'read',
      'capture',
      'agent',
      'tail',
      'pods',
      'doctor',
      'config',
      'version',
      'ndjson',
      'min-latency',
    ]) {
      assert.ok(text.includes(word), `${shell}: ${word}`)
    }
  }
})
