/** Runs the real program, as a shell does. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { killAtExit } from '../../rig/process-tree.ts'
import { PROGRAM } from '../../rig/root.ts'

const fixture = (name: string): string => fileURLToPath(new URL(`../../../test/fixtures/${name}`, import.meta.url))

/** A capture of nginx and curl. */
export const CAPTURE = fixture('nginx-curl.pcap.gz')

/** A capture of 1,000 pairs. */
export const THOUSAND = fixture('thousand.pcap.gz')

/** Captures of different connections, some with large heads. */
export const CAPTURES = [CAPTURE, fixture('node-curl.pcap.gz'), fixture('node-undici.pcap.gz')]

/** The start of a terminal's escape sequence. */
export const ESCAPE = '\x1b['

export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface RunOptions extends StartOptions {
  stdin?: Uint8Array | string
}

/** The environment without variables that affect the program. */
const cleanEnv = (extra: Record<string, string> = {}): NodeJS.ProcessEnv => {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(INTERCEPTOR_|NODE_NAME|NO_COLOR|FORCE_COLOR)/.test(name),
  )
  return { ...Object.fromEntries(kept), ...extra }
}

export interface StartOptions {
  env?: Record<string, string>
  /** A command that runs the program, such as `ip netns exec NAME`. */
  under?: readonly string[]
}

/** Starts the program. */
export function start(args: readonly string[], { env = {}, under = [] }: StartOptions = {}): ChildProcess {
  const [program = process.execPath, ...words] = [...under, process.execPath, PROGRAM, ...args]
  return killAtExit(spawn(program, words, { stdio: 'pipe', env: cleanEnv(env) }))
}

/** Waits for the end of a started program. */
export function finish(child: ChildProcess): Promise<Finished> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() })
    })
  })
}

/** Runs the program to its end. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = start(args, options)
  child.stdin?.on('error', () => {})
  child.stdin?.end(options.stdin ?? '')
  return finish(child)
}

/** Starts the program on a pseudo-terminal: the child's standard output is its screen, standard input its keyboard. */
export function startOnTerminal(args: readonly string[]): ChildProcess {
  const line = [process.execPath, PROGRAM, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  // exec: a shell in between would receive Ctrl-C too, and some then exit with 130 themselves.
  const env = cleanEnv({ TERM: 'xterm', SHELL: '/bin/sh' })
  return killAtExit(spawn('script', ['-qefc', `exec ${line}`, '/dev/null'], { stdio: 'pipe', env }))
}
