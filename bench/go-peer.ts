/** The Go program beside which the parse stage is measured: gopacket, tcpassembly and net/http, built into .cache. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../rig/root.ts'
import { inPath } from './programs.ts'
import type { Missing } from './report.ts'

const BUILD = join(ROOT, '.cache', 'gopacket-peer')
const PROGRAM = join(BUILD, 'peer')
const WHAT = 'the Go peer'

/** Where its source is by default: beside the checkout. */
export const GO_PEER_SOURCE = join(ROOT, '..', 'shared', 'bench', 'gopacket-peer')

/** Builds it where that has not been done. @returns the program's path */
export function buildGoPeer(source: string): string | Missing {
  const code = join(source, 'main.go')
  if (!existsSync(code)) return { what: WHAT, why: `there is no ${code}; pass its folder with --go-peer` }
  if (existsSync(PROGRAM) && statSync(PROGRAM).mtimeMs > statSync(code).mtimeMs) return PROGRAM
  if (!inPath('go')) return { what: WHAT, why: 'install Go' }
  mkdirSync(BUILD, { recursive: true })
  copyFileSync(code, join(BUILD, 'main.go'))
  if (!existsSync(join(BUILD, 'go.mod'))) go('mod', 'init', 'peer')
  const failure = go('mod', 'tidy') ?? go('build', '-o', PROGRAM, '.')
  return failure === null ? PROGRAM : { what: WHAT, why: `it cannot be built: ${failure}` }
}

/** @returns null, or why it failed */
function go(...args: string[]): string | null {
  const run = spawnSync('go', args, { cwd: BUILD, encoding: 'utf8' })
  return run.status === 0 ? null : (run.error?.message ?? run.stderr.trim().split('\n').at(-1) ?? 'no reason given')
}
