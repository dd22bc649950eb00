/** The sources of commands that summarise pairs: capture files, interfaces of this host, an agent, or a Kafka topic. */
import { type Command, InvalidArgumentError } from 'commander'
import { usageError } from '../errors.ts'
import type { OutputFormat } from '../format/output-format.ts'
import { AGENT_OPTION } from './agent-source.ts'
import { capture } from './capture.ts'
import { addConfigOptions, type OutputFlags, VERBOSE_STACK } from './options.ts'
import { read } from './read.ts'
import { addSelectOptions, append } from './select.ts'
import { parseFrom, tailPairs } from './tail.ts'
import type { When } from './terminal.ts'

/** Options of those commands. */
export interface SourceFlags extends Omit<OutputFlags, 'output' | 'decode' | 'progress'> {
  /** Absent: auto. */
  progress?: When
  interface?: string[]
  agent?: string | true
  from?: ReturnType<typeof parseFrom>
  follow?: boolean
}

/** Adds the sources, the options that select pairs, and -w. */
export const addSourceOptions = (command: Command): Command =>
  addSources(command).option('-w, --write <file>', 'write to a file instead of standard output')

/** Adds the sources and the options that select pairs. */
export function addSources(command: Command): Command {
  command
    .argument('[file...]', 'capture files; - for standard input')
    .optionsGroup('Source, in place of files:')
    .option('-i, --interface <name>', 'interface to capture, or any for all; repeatable', append)
    .option(...AGENT_OPTION)
    .option('--from <where>', 'with --brokers or --topic: where to start, as for tail (default: end)', (text) =>
      parseFrom(text),
    )
    .option('--no-follow', 'with --brokers or --topic: stop at the end of the topic')
    .option('-c, --count <n>', 'stop after n pairs', wholeNumber)
  addSelectOptions(command)
  return addConfigOptions(command, `${VERBOSE_STACK}; -vv also logs at debug level`)
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 1 or more.')
  return Number(text)
}

/**
 * Runs a command over its source, with a format that summarises.
 *
 * Errors, probes and bodies of all types count: the rules that `--all` disables do not apply.
 *
 * @returns the exit code
 * @throws InterceptorError (EXIT_USAGE) without a source, or with two
 */
export function runSource(files: string[], flags: SourceFlags, output: OutputFormat, format: object): Promise<number> {
  const kind = sourceOf(files, flags)
  const { interface: names, progress = 'auto', ...common } = flags
  const all = { ...common, ...format, output, decode: true, progress }
  if (kind === 'topic' || kind === 'agent') return tailPairs(all)
  const pipeline = { ...all, all: true }
  // --no-follow concerns topics. A capture is read to its end with or without it.
  if (names === undefined) return read(files, { ...pipeline, follow: false })
  return capture([], { ...pipeline, interface: names })
}

/** The source of a command's pairs. */
export type SourceName = 'files' | 'interfaces' | 'agent' | 'topic'

/** @throws InterceptorError (EXIT_USAGE) without a source, or with two */
export function sourceOf(files: string[], flags: SourceFlags): SourceName {
  const isTopic = flags.brokers !== undefined || flags.topic !== undefined
  const isAgent = flags.agent !== undefined
  const sources = [files.length > 0, flags.interface !== undefined, isAgent, isTopic].filter(Boolean).length
  if (sources !== 1) {
    throw usageError(
      `${sources === 0 ? 'there is no source' : 'there is more than one source'}: name capture files, -i, --agent or --brokers`,
    )
  }
  return isTopic ? 'topic' : isAgent ? 'agent' : files.length > 0 ? 'files' : 'interfaces'
}
