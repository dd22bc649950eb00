#!/usr/bin/env node
/** The program. Only this module ends the process. */
import './thread/no-inspector.ts'
import { writeError, writeOutput } from './cli/terminal.ts'
import { descriptorError, EXIT_DONE, EXIT_RUNTIME, InterceptorError } from './errors.ts'
import { setCompilerFlags } from './thread/v8-flags.ts'
import { VERSION } from './version.ts'

setCompilerFlags()
process.exit(await main(process.argv.slice(2)))

async function main(args: readonly string[]): Promise<number> {
  try {
    // Without the command line, which is slower to load than all the rest.
    if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
      writeOutput(`${VERSION}\n`)
      return EXIT_DONE
    }
    // Loading some hundred files may already need more descriptors than the process is allowed.
    const { runCommandLine } = await import('./cli/program.ts')
    return await runCommandLine(args)
  } catch (error) {
    const failure = descriptorError(error) ?? (error instanceof InterceptorError ? error : null)
    if (failure === null) throw error
    writeError(`interceptor: ${failure.message}\n${failure.hint === null ? '' : `${failure.hint}\n`}`)
    return EXIT_RUNTIME
  }
}
