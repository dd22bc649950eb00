/** `interceptor man [command]`: prints a manual page in roff, made from the definitions of the commands. */
import { Argument, Command } from 'commander'
import { usageError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { addExamples, examplesOf } from './options.ts'
import { writeOutput } from './terminal.ts'

/** @param program returns the program, whose commands have the pages */
export function manCommand(program: () => Command): Command {
  const command = new Command('man')
    .description('Print the manual page of the program, or of one of its commands, in roff.')
    .addArgument(new Argument('[command]', 'the command; absent: the program'))
  addExamples(command, [
    ['interceptor man tail | man -l -', 'read the page of tail'],
    ['interceptor man > /usr/local/share/man/man1/interceptor.1', 'install the page of the program'],
  ])
  return command.action((name: string | undefined) => writeOutput(manPage(program(), name)))
}

/** @throws InterceptorError (EXIT_USAGE) for a command that does not exist */
function manPage(program: Command, name: string | undefined): string {
  if (name === undefined) return page(program, [program.name()], program.commands)
  const command = program.commands.find((known) => known.name() === name)
  if (command === undefined) throw usageError(`there is no command ${name}`)
  return page(command, [program.name(), name], [program])
}

function page(command: Command, words: readonly string[], related: readonly Command[]): string {
  const title = words.join('-')
  const [program] = words
  const pages = related.map((other) => (other.name() === program ? program : `${program}-${other.name()}`))
  const lines = [
    `.TH ${title.toUpperCase()} 1 "" "${program} ${VERSION}" "User Commands"`,
    '.SH NAME',
    `${text(title)} \\- ${text(command.description().replace(/\.( .*)?$/s, ''))}`,
    '.SH SYNOPSIS',
    `.B ${text(words.join(' '))}`,
    text(command.usage()),
    '.SH DESCRIPTION',
    text(command.description()),
    ...section(
      'COMMANDS',
      command.commands.flatMap((inner) => item(bold(inner.name()), inner.description())),
    ),
    ...section(
      'ARGUMENTS',
      command.registeredArguments.flatMap((it) => item(italic(it.name()), it.description)),
    ),
    ...options(command),
    ...command.commands.flatMap((inner) => options(inner, ` of ${inner.name()}`)),
    ...section(
      'EXAMPLES',
      examplesOf(command).flatMap(([line, meaning]) => item(bold(line), meaning)),
    ),
    '.SH EXIT STATUS',
    ...EXIT_STATUS.flatMap(([code, meaning]) => item(bold(code), meaning)),
    '.SH SEE ALSO',
    text(pages.map((name) => `${name}(1)`).join(', ')),
  ]
  return `${lines.join('\n')}\n`
}

const EXIT_STATUS = [
  ['0', 'Success.'],
  ['1', 'A runtime error.'],
  ['2', 'The command line or the configuration is wrong.'],
  ['3', 'The run finished, but its input was truncated or damaged.'],
  ['4', 'A privilege is missing.'],
] as const

function options(command: Command, of = ''): string[] {
  const help = command.createHelp()
  const groups = new Map<string, string[]>()
  for (const option of help.visibleOptions(command)) {
    const heading = (option.helpGroupHeading ?? 'Options:').replace(/ *[(:].*/, '')
    const entry = item(bold(help.optionTerm(option)), help.optionDescription(option))
    groups.set(heading, [...(groups.get(heading) ?? []), ...entry])
  }
  return [...groups].flatMap(([heading, entries]) => section(`${heading}${of}`.toUpperCase(), entries))
}

const section = (heading: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`.SH "${heading.replaceAll('"', "'")}"`, ...lines]

const item = (term: string, description: string): string[] => ['.TP', term, text(description)]
const bold = (term: string): string => `\\fB${escaped(term)}\\fR`
const italic = (term: string): string => `\\fI${escaped(term)}\\fR`

/** Text in which roff sees no request and no escape. */
const text = (plain: string): string => (/^[.']/.test(plain) ? '\\&' : '') + escaped(plain)

const escaped = (plain: string): string =>
  plain.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('’', '\\(cq').replaceAll('…', '...')
