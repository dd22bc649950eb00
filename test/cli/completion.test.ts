import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
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
  // The shell completes file names here.
  assert.deepEqual(offered(completion, ['interceptor', 'read', '-w', '']), [])
})

/** Types a line and Tab into an interactive zsh, in which what completion adds is printed. */
const ZSH = String.raw`
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D
compadd() {
  local -a found
  [[ \" \$* \" == *\" -\"[OAD]\" \"* ]] || { builtin compadd -A found \"\$@\"; print -r -- \"FOUND \${(j: :)found} END\" }
  builtin compadd \"\$@\"
}
print REA''DY"
while zpty -r shell chunk; do [[ $chunk == *READY* ]] && break; done
zpty -w -n shell "$2"$'\t'
while zpty -r shell chunk; do print -r -- "$chunk"; [[ $chunk == *' END'* ]] && break; done
zpty -d shell`

test('completion zsh: offers commands, options and choices', { skip: needs('zsh') }, async (t) => {
  const folder = folderWith(t, '_interceptor', await script('zsh'))
  for (const [line, words] of OFFERS) {
    const { stdout } = spawnSync('zsh', ['-f', '-c', ZSH, 'zsh', folder, line], { encoding: 'utf8', timeout: 60_000 })
    assert.match(stdout, new RegExp(`FOUND ${words.join(' ')} END`), line)
  }
})

test('completion fish: offers commands, options and choices', { skip: needs('fish') }, async (t) => {
  const file = join(folderWith(t, 'interceptor.fish', await script('fish')), 'interceptor.fish')
  for (const [line, words] of OFFERS) {
    const code = `source ${file}; complete -C '${line}'`
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', code], { encoding: 'utf8' })
    const found = stdout.split('\n').flatMap((one) => (one === '' ? [] : [one.split('\t', 1)[0]]))
    assert.deepEqual([found, stderr], [words, ''], line)
  }
})

/** A line as it is typed, and the words that zsh and fish offer for its end. */
const OFFERS: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['interceptor re', ['read']],
  ['interceptor tail -o n', ['ndjson', 'none']],
  ['interceptor config v', ['validate']],
  ['interceptor read --min', ['--min-latency']],
]

function folderWith(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-completion-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, name), text)
  return folder
}

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
