#!/usr/bin/env node
/** The program. Only this module ends the process. */
import { descriptorError, EXIT_RUNTIME } from './errors.ts'
import { setInliningBudgets } from './thread/v8-flags.ts'

setInliningBudgets()
process.exit(await main())

async function main(): Promise<number> {
  try {
    // Loading some hundred files may already take more descriptors than the process is allowed.
    const { runCommandLine } = await import('./cli/program.ts')
    return await runCommandLine(process.argv.slice(2))
  } catch (error) {
    const failure = descriptorError(error)
    if (failure === null) throw error
    process.stderr.write(`interceptor: ${failure.message}\n${failure.hint ?? ''}\n`)
    return EXIT_RUNTIME
  }
}
