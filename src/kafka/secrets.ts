/** Reads what the configuration refers to: certificates, passwords, and short-lived tokens and credentials. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Config } from '../config/schema.ts'
import { fileErrorText, plainText, usageError } from '../errors.ts'
import { RefusedError, type TokenSource } from './errors.ts'

/** A command that runs longer is killed. */
const COMMAND_MS = 8_000
const MAX_BYTES = 64 * 1024

type TokenSettings = Pick<Config['kafka']['sasl'], 'tokenFile' | 'tokenCommand'>

/** @param key the configuration key, for the error message @throws InterceptorError (EXIT_USAGE) */
export function readSetting(key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw usageError(`${key}: cannot read ${path}: ${fileErrorText(error)}`, { cause: error })
  }
}

/**
 * Reads the token's file or runs its command.
 *
 * @returns the file's content or the command's output, without surrounding white space
 * @throws RefusedError that names the source and quotes nothing of its content
 */
export async function readToken({ tokenFile, tokenCommand }: TokenSettings): Promise<string> {
  const token = tokenFile === '' ? await runCommand(tokenCommand) : await readFileOf(tokenFile)
  if (token.trim() === '') throw sourceFailed(tokenFile === '' ? 'tokenCommand' : 'tokenFile', ' gives no token')
  return token.trim()
}

const sourceFailed = (source: TokenSource, text: string): RefusedError =>
  new RefusedError(`kafka.sasl.${source}${text}`, source)

async function readFileOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw sourceFailed('tokenFile', `: cannot read ${path}: ${fileErrorText(error)}`)
  }
}

/** Running commands by their words: connections that authenticate at the same time share one run. */
const running = new Map<string, Promise<string>>()

function runCommand(command: readonly string[]): Promise<string> {
  const key = JSON.stringify(command)
  const other = running.get(key)
  if (other !== undefined) return other
  const result = run(command).finally(() => running.delete(key))
  running.set(key, result)
  return result
}

function run([program, ...args]: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { encoding: 'utf8', timeout: COMMAND_MS, killSignal: 'SIGKILL', maxBuffer: MAX_BYTES } as const
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(sourceFailed('tokenCommand', `: ${commandFailure(error, stderr)}`))
    })
  })
}

/** Replaces Node.js's own message, which repeats the whole command line. */
function commandFailure(
  { code, killed, message }: Error & { code?: unknown; killed?: boolean },
  stderr: string,
): string {
  if (killed) return `it did not end within ${COMMAND_MS / 1000} s`
  const [line = ''] = stderr.trim().split('\n')
  return typeof code === 'number' ? `it ended with code ${code}: ${line.slice(0, 200)}` : plainText(message)
}
