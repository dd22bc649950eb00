/** Starts the program, apart from what ends the process (main.ts). */
import './thread/no-inspector.ts'
import { writeError, writeOutput } from './cli/terminal.ts'
import { EXIT_DONE, EXIT_RUNTIME, InterceptorError, limitError } from './errors.ts'
import { VERSION } from './version.ts'

/** Runs a command. @param args of the command line @returns the exit code */
export async function launch(args: readonly string[]): Promise<number> {
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
    const failure = limitError(error) ?? (error instanceof InterceptorError ? error : null)
    if (failure === null) throw error
    writeError(`interceptor: ${failure.message}\n${failure.hint === null ? '' : `${failure.hint}\n`}`)
    return EXIT_RUNTIME
  }
}
