/** The command line: commands, help and error reports. Loads nothing heavy until a command runs. */
import { Command, CommanderError } from 'commander'
import { nearest } from '../config/nearest.ts'
import { EXIT_DONE, EXIT_RUNTIME, EXIT_USAGE, errorText, InterceptorError, limitError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { agentCommand } from './agent.ts'
import { captureCommand } from './capture.ts'
import { completionCommand } from './completion.ts'
import { configCommand } from './config.ts'
import { doctorCommand } from './doctor.ts'
import { manCommand } from './man.ts'
import { openapiCommand } from './openapi.ts'
import { addExamples } from './options.ts'
import { podsCommand } from './pods.ts'
import { readCommand } from './read.ts'
import { tailCommand } from './tail.ts'
import {
  errorColumns,
  errorIsTerminal,
  outputColumns,
  outputIsTerminal,
  wantsColor,
  writeError,
  writeOutput,
} from './terminal.ts'
import { topCommand } from './top.ts'
import { uiCommand } from './ui.ts'
import { versionCommand } from './version.ts'

const WIDTH_WITHOUT_TERMINAL = 100

type Create = (exit: (code: number) => void, program: () => Command) => Command

const COMMANDS: readonly (readonly [name: string, Create])[] = [
  ['read', readCommand],
  ['capture', captureCommand],
  ['agent', agentCommand],
  ['tail', tailCommand],
  ['top', topCommand],
  ['ui', uiCommand],
  ['openapi', openapiCommand],
  ['pods', podsCommand],
  ['doctor', doctorCommand],
  ['config', configCommand],
  ['completion', (_, program) => completionCommand(program)],
  ['man', (_, program) => manCommand(program)],
  ['version', versionCommand],
]
/** Commands that describe all others. Any other command is created alone, because creating all takes some 10 ms. */
const ABOUT_ALL = ['completion', 'man']

/**
 * Runs a command line.
 *
 * @param args  without the program: `['read', 'shop.pcap']`
 * @returns the exit code (errors.ts); never throws
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let code: number = EXIT_DONE
  const program = createProgram(args[0], (value) => {
    code = value
  })
  try {
    await program.parseAsync(helpOption(args, program), { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE
    return reportError(error, args.some(isVerbose))
  }
}

/**
 * Rewrites `help config print` and `config help print` to `config print --help`: commander's own help command does not
 * know commands of commands, and prints help for names that do not exist.
 */
function helpOption(args: readonly string[], program: Command): readonly string[] {
  const [first, second, ...more] = args
  const words = first === 'help' ? args.slice(1) : first === 'config' && second === 'help' ? [first, ...more] : null
  if (words === null) return args
  let command: Command | undefined = program
  for (const word of words) {
    if (command.commands.length > 0) command = command.commands.find((known) => known.name() === word)
    // Without --help, it is an unknown command.
    if (command === undefined) return words
  }
  return [...words, '--help']
}

/** Recognises -v even if the options could not be parsed. */
const isVerbose = (word: string): boolean => word === '--verbose' || /^-[a-z]*v[a-z]*$/.test(word)

/** Prints an error and its hint; the stack too with -v. An unexpected error asks for a rerun with -v. */
function reportError(thrown: unknown, verbose: boolean): number {
  const error = limitError(thrown) ?? thrown
  const expected = error instanceof InterceptorError
  writeError(`interceptor: ${errorText(error)}\n`)
  if (expected && error.hint !== null) writeError(`${error.hint}\n`)
  if (verbose && error instanceof Error) writeError(`${error.stack}\n`)
  if (!expected && !verbose) writeError('This is a bug in interceptor. Run it again with -v for details.\n')
  return expected ? error.exitCode : EXIT_RUNTIME
}

/** @param word the first argument: a command's name, or anything else */
function createProgram(word: string | undefined, exit: (code: number) => void): Command {
  const program = new Command('interceptor')
    .description('Pair HTTP requests with their responses, in capture files and live traffic.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showHelpAfterError('Run it with --help for usage.')
    .exitOverride()
    .configureOutput({
      writeOut: writeOutput,
      writeErr: writeError,
      outputError: (text, write) => write(parseErrorText(text)),
      getOutHelpWidth: () => outputColumns() ?? WIDTH_WITHOUT_TERMINAL,
      getErrHelpWidth: () => (errorIsTerminal() ? errorColumns() : WIDTH_WITHOUT_TERMINAL),
      getOutHasColors: () => wantsColor('auto', outputIsTerminal()),
      getErrHasColors: () => wantsColor('auto', errorIsTerminal()),
    })
  addExamples(program, [
    ['interceptor read shop.pcap', 'print the HTTP pairs in a capture file'],
    ['sudo interceptor capture -i any', 'capture all interfaces of this machine'],
    ['sudo interceptor top -i any', 'watch which routes are slow, and which fail'],
    ['sudo interceptor ui -i any', 'browse pairs, routes, callers and losses'],
    ['interceptor pods --traffic', 'find out why a pod shows nothing, beside the agent of its node'],
    ['interceptor doctor', 'check whether this machine can capture'],
  ])
  const named = COMMANDS.filter(([name]) => name === word && !ABOUT_ALL.includes(name))
  for (const [, create] of named.length > 0 ? named : COMMANDS) {
    const command = create(exit, () => program)
    program.addCommand(inherit(command, program))
  }
  return program
}

/** A parse error in commander's words, without a suggestion that is too unlike the written word. */
function parseErrorText(text: string): string {
  const [, word = '', line = '', suggested = ''] = /'([^']*)'(\n\(Did you mean ([^ ]*)\?\))/.exec(text) ?? []
  const isSuggestion = line === '' || nearest(word, [suggested]) !== null
  return (isSuggestion ? text : text.replace(line, '')).replace(/^error: /, 'interceptor: ')
}

/** Copies the program's settings to a command and its subcommands, which are created apart from the program. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent).helpCommand(false)
  for (const inner of command.commands) inherit(inner, command)
  return command
}
