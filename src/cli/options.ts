/** Options that several commands share, and the configuration values that they set. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { FlagValue } from '../config/layers.ts'
import { usageError } from '../errors.ts'
import { OUTPUT_FORMATS, type OutputFormat, type TopOptions } from '../format/output-format.ts'
import { fieldFault } from '../select/fields.ts'
import { addSelectOptions, append, type SelectFlags, selectFlags } from './select.ts'
import type { When } from './terminal.ts'

/** Options of every command that reads the configuration. */
export interface ConfigFlags {
  config?: string
  set?: string[]
  brokers?: string
  topic?: string
  /** Number of -v options: 1 prints heads and bodies, 2 also logs at debug level. */
  verbose?: number
  quiet?: boolean
  color: When
}

/** Options of commands that print or write pairs. */
export interface OutputFlags extends ConfigFlags, SelectFlags {
  output?: OutputFormat
  write?: string
  count?: number
  body?: number
  fields?: string[]
  /** Set by commands that summarise pairs. */
  top?: TopOptions
  examples?: boolean
  decode: boolean
  progress: When
}

/** Options of commands that run the pipeline. */
export interface PipelineFlags extends OutputFlags {
  all?: boolean
  format?: 'msgpack' | 'json'
  summary?: string
  workers?: string
  incomplete?: boolean
}

const count = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number, 1 or more.')
  return value
}

/** @returns rows; Infinity for `all` */
const bodyRows = (text: string): number => {
  if (text === 'all' || text === 'full') return Number.POSITIVE_INFINITY
  if (text === 'none') return 0
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be all, none or a whole number, 0 or more.')
  return Number(text)
}

/** @throws InvalidArgumentError for a field that does not exist */
function fields(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  for (const name of names) {
    const fault = fieldFault(name)
    if (fault !== null) throw new InvalidArgumentError(fault)
  }
  return names
}

const increase = (_: unknown, before = 0): number => before + 1

const when = (flags: string, description: string): Option =>
  new Option(flags, description).choices(['auto', 'always', 'never']).default('auto')

/** The effect of -v in commands that print no pairs. */
export const VERBOSE_STACK = 'print the stack trace of an error'

/**
 * Adds --config, --set, --brokers, --topic, -q, -v and --color.
 *
 * @param verbose  the description of -v
 */
export function addConfigOptions(command: Command, verbose: string): Command {
  return addGeneralOptions(addKafkaOptions(command), verbose)
}

/** Adds the options of `addConfigOptions` to a command that prints pairs. */
export const addPairConfigOptions = (command: Command): Command =>
  addConfigOptions(command, 'print heads and bodies in text; -vv also logs at debug level')

/** Adds --brokers and --topic. */
export function addKafkaOptions(command: Command): Command {
  return command
    .optionsGroup('Kafka:')
    .option('--brokers <list>', 'bootstrap brokers as host:port, separated by commas')
    .option('--topic <name>', 'topic (default: interceptor.pairs)')
}

/**
 * Adds --config, --set, -q, -v and --color.
 *
 * @param verbose  the description of -v
 */
export function addGeneralOptions(command: Command, verbose: string): Command {
  return command
    .optionsGroup('Options:')
    .option('--config <file>', 'YAML configuration file (also INTERCEPTOR_CONFIG)')
    .option('--set <key=value>', 'set a key of the configuration, such as limits.memory=1GiB; repeatable', append)
    .option('-q, --quiet', 'print only errors on standard error')
    .option('-v, --verbose', verbose, increase)
    .addOption(when('--color <when>', 'when to use colors'))
}

/** Adds the options that select pairs, and -o, -w, -c, --body, --no-decode and --progress. */
export function addOutputOptions(command: Command): Command {
  return addSelectOptions(command)
    .optionsGroup('Output:')
    .addOption(new Option('-o, --output <format>', 'output format of pairs (default: text)').choices(OUTPUT_FORMATS))
    .option('-w, --write <file>', 'write pairs to a file instead of standard output')
    .option('-c, --count <n>', 'stop after n pairs', count)
    .option('--body <rows>', 'rows of each body to print in text, all or none (default: 100); implies -v', bodyRows)
    .option('--fields <list>', 'columns of text and tsv, such as time,request.target,response.status', fields)
    .option('--no-decode', 'do not undo the Content-Encoding of bodies (gzip, deflate, br, zstd)')
    .addOption(when('--progress <when>', 'when to show progress on standard error'))
}

/** Adds every option of a command that runs the pipeline. */
export function addPipelineOptions(command: Command): Command {
  addOutputOptions(command)
    .option('--all', 'keep every pair: disable the content-type, user-agent, header, status and path rules')
    .option('--incomplete', 'also keep responses that end before they are complete, such as open event streams')
    .option('--summary <file>', 'write the ledger of counts as JSON to a file, or - for standard error')
  return addPairConfigOptions(command)
    .option('--workers <n>', 'number of assembler workers (default: auto)')
    .optionsGroup('Kafka:')
    .addOption(new Option('--format <format>', 'form of Kafka values (default: msgpack)').choices(['msgpack', 'json']))
}

/** A shell command and its description. */
type Example = readonly [string, string]

const examplesByCommand = new WeakMap<Command, readonly Example[]>()

/** The examples of a command's help. */
export const examplesOf = (command: Command): readonly Example[] => examplesByCommand.get(command) ?? []

/** Adds examples to the end of a command's help. */
export function addExamples(command: Command, examples: readonly Example[]): Command {
  examplesByCommand.set(command, examples)
  const lines = examples.map(([line, meaning]) => `  ${line}\n      ${meaning}`)
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

/**
 * Collects the configuration values that the shared options set. Named options follow `--set`, so that they win.
 *
 * @throws InterceptorError (EXIT_USAGE) for a `--set` without `=`
 */
export function configFlags(flags: ConfigFlags & SelectFlags & Partial<PipelineFlags>): FlagValue[] {
  const values: FlagValue[] = (flags.set ?? []).map((text) => {
    const at = text.indexOf('=')
    if (at < 1) throw usageError(`--set ${text}: must be key=value, such as --set ship.maxAge=10m`)
    return { path: text.slice(0, at).trim(), value: text.slice(at + 1).trim(), name: '--set' }
  })
  const named = [
    ['kafka.brokers', flags.brokers, '--brokers'],
    ['kafka.topic', flags.topic, '--topic'],
    ['ship.format', flags.format, '--format'],
    ['assemble.workers', flags.workers, '--workers'],
    ['assemble.incompleteResponses', flags.incomplete, '--incomplete'],
  ] as const
  for (const [path, value, name] of named) if (value !== undefined) values.push({ path, value, name })
  return [...values, ...selectFlags(flags)]
}
