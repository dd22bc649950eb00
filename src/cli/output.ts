/** Chooses the output of a run from the options, the configuration and the terminal. */
import type { LoadedConfig } from '../config/load.ts'
import { usageError } from '../errors.ts'
import type { OutputFormat } from '../format/output-format.ts'
import type { Logger } from '../log/logger.ts'
import type { OutputOptions } from '../supervisor/options.ts'
import type { ConfigFlags, OutputFlags } from './options.ts'
import { wantsColor } from './terminal.ts'

/** A value of `ship.sink`. */
export type SinkName = LoadedConfig['config']['ship']['sink']

/** Properties of standard output. */
export interface OutputTerminal {
  isTerminal: boolean
  columns: number | null
}

/**
 * Chooses where pairs go. The first of these that applies decides:
 * - `-o none`: Kafka if `--brokers` or `--topic` is given, else nowhere, and `-w` is ignored;
 * - `-o` or `-w`: standard output, or the file;
 * - `--brokers` or `--topic`: Kafka;
 * - `ship.sink`, if the environment, the file or `--set` sets it;
 * - configured brokers: Kafka;
 * - otherwise standard output, as text.
 *
 * @throws InterceptorError (EXIT_USAGE) for options that exclude each other, and for Kafka without brokers
 */
export function chooseSink(flags: OutputFlags & { format?: string }, loaded: LoadedConfig): SinkName {
  const sink = sinkOf(flags, loaded)
  if (sink === 'kafka') requireBrokers(loaded)
  if (sink === 'stdout' && flags.format !== undefined) {
    throw usageError('--format applies to Kafka values; choose the format of printed pairs with -o, such as -o ndjson')
  }
  return sink
}

function sinkOf(flags: OutputFlags, { config, origins }: LoadedConfig): SinkName {
  const prints = flags.output === undefined ? flags.write !== undefined : flags.output !== 'none'
  const ships = flags.brokers !== undefined || flags.topic !== undefined
  if (prints && ships) {
    throw usageError('pairs can be printed (-o, -w) or shipped to Kafka (--brokers, --topic), not both', {
      hint: 'Run interceptor tail to print what arrives in the topic; --format sets the form of Kafka values.',
    })
  }
  if (prints) return (flags.write ?? '-') === '-' ? 'stdout' : 'file'
  if (ships) return 'kafka'
  if (flags.output === 'none') return 'none'
  if (origins.get('ship.sink')?.kind !== 'default') return config.ship.sink
  return config.kafka.brokers.length > 0 ? 'kafka' : 'stdout'
}

/** @throws InterceptorError (EXIT_USAGE) if no broker is configured */
export function requireBrokers({ config }: LoadedConfig): void {
  if (config.kafka.brokers.length > 0) return
  throw usageError('no Kafka broker is configured: name one with --brokers host:port or set kafka.brokers')
}

/** Chooses how pairs are printed or written, for a sink from chooseSink. */
export function outputOptions(
  flags: OutputFlags,
  sink: SinkName,
  { config }: LoadedConfig,
  terminal: OutputTerminal,
): OutputOptions {
  const configured = sink === 'file' && flags.write === undefined
  const format: OutputFormat =
    flags.output ?? (configured ? (config.ship.format === 'json' ? 'ndjson' : 'msgpack') : 'text')
  const onTerminal = sink === 'stdout' && terminal.isTerminal
  const prints = (sink === 'stdout' || sink === 'file') && format === 'text'
  if (flags.body !== undefined && !prints) throw usageError('--body limits bodies in text: use it with -o text')
  if (flags.fields !== undefined && !(format === 'text' || format === 'tsv')) {
    throw usageError('--fields chooses columns of text and tsv: use it with -o text or -o tsv')
  }
  if (format === 'msgpack' && onTerminal) {
    throw usageError('msgpack is binary and would garble the terminal: write it to a file with -w FILE, or to a pipe')
  }
  return {
    format: sink === 'none' || sink === 'kafka' ? 'none' : format,
    file: sink !== 'file' ? null : configured ? config.ship.file : flags.write!,
    append: configured,
    decode: configured ? config.ship.decode : flags.decode,
    color: wantsColor(flags.color, onTerminal),
    width: onTerminal ? terminal.columns : null,
    verbose: (flags.verbose ?? 0) > 0 || flags.body !== undefined,
    ...(flags.body === undefined ? {} : { bodyRows: flags.body }),
    ...(flags.fields === undefined ? {} : { fields: flags.fields }),
    ...(flags.top === undefined ? {} : { top: flags.top }),
    ...(flags.examples === undefined ? {} : { examples: flags.examples }),
  }
}

/** Warns of `-o none -w FILE`, which writes no file. */
export function warnOfIgnoredWrite(flags: OutputFlags, log: Logger): void {
  if (flags.output === 'none' && flags.write !== undefined) log.warn('-w is ignored: -o none writes no pairs')
}

/** The log level of a run: error with -q, debug with -vv, else as configured. */
export const logLevel = (flags: ConfigFlags, { config }: LoadedConfig): LoadedConfig['config']['log']['level'] =>
  flags.quiet === true ? 'error' : (flags.verbose ?? 0) > 1 ? 'debug' : config.log.level
