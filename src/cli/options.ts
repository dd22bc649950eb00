/** Options that several commands share, and what they mean for the configuration. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { FlagValue } from '../config/layers.ts'
import { usageError } from '../errors.ts'
import { OUTPUT_FORMATS, type OutputFormat } from '../format/output-format.ts'
import type { When } from './terminal.ts'

/** Options of every command that reads the configuration. */
export interface ConfigFlags {
  config?: string
  set?: string[]
  brokers?: string
  topic?: string
  /** How often -v was given: 1 shows more of each pair, 2 also logs at debug level. */
  verbose?: number
  quiet?: boolean
  color: When
}

/** Options of commands that print or write pairs. */
export interface OutputFlags extends ConfigFlags {
  output?: OutputFormat
  write?: string
  count?: number
  decode: boolean
  progress: When
}

/** Options of commands that run the pipeline. */
export interface PipelineFlags extends OutputFlags {
  all?: boolean
  format?: 'msgpack' | 'json'
  summary?: string
  workers?: string
}

const count = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number, 1 or more.')
  return value
}

/** Collects a repeatable option. */
export const append = (value: string, before: string[] = []): string[] => [...before, value]

const increase = (_: unknown, before = 0): number => before + 1

const when = (flags: string, description: string): Option =>
  new Option(flags, description).choices(['auto', 'always', 'never']).default('auto')

/** Adds --config, --set, --brokers, --topic, -q, -v and --color. */
export function addConfigOptions(command: Command): Command {
  return addGeneralOptions(addKafkaOptions(command), 'heads and bodies in text; twice: a debug log too')
}

/** Adds --brokers and --topic. */
export function addKafkaOptions(command: Command): Command {
  return command
    .optionsGroup('Kafka:')
    .option('--brokers <list>', 'brokers, host:port, separated by commas')
    .option('--topic <name>', 'topic (default: interceptor.pairs)')
}

/**
 * Adds --config, --set, -q, -v and --color.
 *
 * @param verbose  what -v does
 */
export function addGeneralOptions(command: Command, verbose: string): Command {
  return command
    .optionsGroup('Options:')
    .option('--config <file>', 'configuration file, YAML (also INTERCEPTOR_CONFIG)')
    .option('--set <key=value>', 'set any key of the configuration: limits.memory=1GiB; repeatable', append)
    .option('-q, --quiet', 'nothing on standard error but errors')
    .option('-v, --verbose', verbose, increase)
    .addOption(when('--color <when>', 'colour'))
}

/** Adds -o, -w, -c and --no-decode, and --progress. */
export function addOutputOptions(command: Command): Command {
  return command
    .optionsGroup('Output:')
    .addOption(new Option('-o, --output <format>', 'how pairs are printed (default: text)').choices(OUTPUT_FORMATS))
    .option('-w, --write <file>', 'write pairs to a file instead of standard output')
    .option('-c, --count <n>', 'stop after n pairs', count)
    .option('--no-decode', 'leave bodies in their Content-Encoding (gzip, deflate, br, zstd)')
    .addOption(when('--progress <when>', 'progress on standard error'))
}

/** Adds every option of a command that runs the pipeline. */
export function addPipelineOptions(command: Command): Command {
  addOutputOptions(command)
    .option('--all', 'every pair: content-type, user-agent, header, status and path rules off')
    .option('--summary <file>', 'write what was counted as JSON; - for standard error')
  return addConfigOptions(command)
    .option('--workers <n>', 'assembler workers (default: auto)')
    .optionsGroup('Kafka:')
    .addOption(new Option('--format <format>', 'form of values (default: msgpack)').choices(['msgpack', 'json']))
}

/** A block of examples for the end of a command's help. Each is a line of shell and what it does. */
export function addExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const lines = examples.map(([line, meaning]) => `  ${line}\n      ${meaning}`)
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

/**
 * What the shared options set in the configuration. Named options come after `--set`, so that they win.
 *
 * @throws InterceptorError (exit 2) for a `--set` without `=`
 */
export function configFlags(flags: ConfigFlags & Partial<PipelineFlags>): FlagValue[] {
  const values: FlagValue[] = (flags.set ?? []).map((text) => {
    const at = text.indexOf('=')
    if (at < 1) throw usageError(`--set ${text}: write key=value, such as --set ship.maxAge=10m`)
    return { path: text.slice(0, at).trim(), value: text.slice(at + 1).trim(), name: '--set' }
  })
  const named = [
    ['kafka.brokers', flags.brokers, '--brokers'],
    ['kafka.topic', flags.topic, '--topic'],
    ['ship.format', flags.format, '--format'],
    ['assemble.workers', flags.workers, '--workers'],
  ] as const
  for (const [path, value, name] of named) if (value !== undefined) values.push({ path, value, name })
  return values
}
