/**
 * The folder in which the commands of documents run: it looks like the checkout, and commands may write to it. The
 * commands of one page run in one sandbox, one after the other.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROGRAM, ROOT } from '../../rig/root.ts'

const TIMEOUT_MS = 60_000
/** Links to files that a run must not change. */
const NOT_SHOWN = ['.git', '.cache']
/** `interceptor …` and `npx interceptor …` run the program of this checkout. */
const SHIMS = {
  interceptor: `exec node ${PROGRAM} "$@"`,
  npx: '[ "$1" = --no-install ] && shift\nexec "$@"',
}

export interface CommandResult {
  code: number | null
  /** Standard output and standard error, interleaved as on a terminal. */
  output: string
}

export class Sandbox {
  readonly #folder = mkdtempSync(join(tmpdir(), 'interceptor-page-'))
  readonly #checkout = join(this.#folder, 'checkout')
  readonly #programs = join(this.#folder, 'bin')
  #code = 0

  constructor() {
    mkdirSync(this.#checkout)
    mkdirSync(this.#programs)
    for (const name of readdirSync(ROOT)) {
      if (!NOT_SHOWN.includes(name)) symlinkSync(join(ROOT, name), join(this.#checkout, name))
    }
    for (const [name, script] of Object.entries(SHIMS)) {
      writeFileSync(join(this.#programs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    }
  }

  /** Runs one line of a shell to its end, without a terminal, in UTC. `$?` is the exit code of the line before. */
  run(line: string): CommandResult {
    const run = spawnSync('bash', ['-o', 'pipefail', '-c', `exec 2>&1; (exit ${this.#code}); ${line}`], {
      cwd: this.#checkout,
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: `${this.#programs}:${process.env['PATH']}`, HOME: this.#folder, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
    })
    this.#code = run.status ?? 1
    return { code: run.status, output: run.stdout }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }
}
