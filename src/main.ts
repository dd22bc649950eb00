#!/usr/bin/env node
/** The program. Only this module ends the process. */
import { runCommandLine } from './cli/program.ts'
import { setInliningBudgets } from './thread/v8-flags.ts'

setInliningBudgets()
process.exit(await runCommandLine(process.argv.slice(2)))
