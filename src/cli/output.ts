/** Where the pairs of a run go: decided from the options, then the configuration, then what standard output is. */
import type { LoadedConfig } from '../config/load.ts'
import { usageError } from '../errors.ts'
import type { OutputFormat } from '../format/output-format.ts'
import type { OutputOptions } from '../supervisor/options.ts'
import type { ConfigFlags, OutputFlags } from './options.ts'
import { wantsColor } from './terminal.ts'

/** A value of `ship.sink`. */
export type Sink = LoadedConfig['config']['ship']['sink']

/** What is known of standard output. */
export interface OutputTerminal {
  isTerminal: boolean
  columns: number | null
}

/**
 * - `-o` or `-w`: pairs are printed, or written to the file;
 * - else `--brokers` or `--topic`: they go to Kafka, and nothing is printed;
 * - else `ship.sink`, where the environment, the file or `--set` chooses it;
 * - else to Kafka, where brokers are configured;
 * - else they are printed as text.
 *
 * @throws InterceptorError (exit 2) for options that exclude each other, and for Kafka without brokers
 */
export function chooseSink(flags: OutputFlags & { format?: string }, loaded: LoadedConfig): Sink {
  const sink = sinkOf(flags, loaded)
  if (sink === 'kafka') requireBrokers(loaded)
  if (sink === 'stdout' && flags.format !== undefined) {
    throw usageError('--format is the form of Kafka values: -o chooses how pairs are printed, such as -o ndjson')
  }
  return sink
}

function sinkOf(flags: OutputFlags, { config, origins }: LoadedConfig): Sink {
  const prints = flags.write !== undefined || (flags.output ?? 'none') !== 'none'
  const ships = flags.brokers !== undefined || flags.topic !== undefined
  if (prints && ships) {
    throw usageError('pairs are either printed (-o, -w) or shipped to Kafka (--brokers, --topic), not both', {
      hint: 'Run interceptor tail beside it to see what arrives in the topic; --format chooses the form of Kafka values.',
    })
  }
  if (prints) return (flags.write ?? '-') === '-' ? 'stdout' : 'file'
  if (ships) return 'kafka'
  if (flags.output === 'none') return 'none'
  if (origins.get('ship.sink')?.kind !== 'default') return config.ship.sink
  return config.kafka.brokers.length > 0 ? 'kafka' : 'stdout'
}

/** @throws InterceptorError (exit 2) when no broker is configured */
export function requireBrokers({ config }: LoadedConfig): void {
  if (config.kafka.brokers.length > 0) return
  throw usageError('no Kafka broker to go to: name one with --brokers host:port (kafka.brokers in the configuration)')
}

/** How pairs are printed or written, for a sink of chooseSink. */
export function outputOptions(
  flags: OutputFlags,
  sink: Sink,
  { config }: LoadedConfig,
  terminal: OutputTerminal,
): OutputOptions {
  const configured = sink === 'file' && flags.write === undefined
  const format: OutputFormat =
    flags.output ?? (configured ? (config.ship.format === 'json' ? 'ndjson' : 'msgpack') : 'text')
  const onTerminal = sink === 'stdout' && terminal.isTerminal
  if (format === 'msgpack' && onTerminal) {
    throw usageError('msgpack is binary and would disturb the terminal: write it with -w FILE, or pipe it on')
  }
  return {
    format: sink === 'none' || sink === 'kafka' ? 'none' : format,
    file: sink !== 'file' ? null : configured ? config.ship.file : flags.write!,
    decode: configured ? config.ship.decode : flags.decode,
    color: wantsColor(flags.color, onTerminal),
    width: onTerminal ? terminal.columns : null,
    verbose: (flags.verbose ?? 0) > 0,
  }
}

/** The log level of a run: -q leaves errors, -vv shows everything, else as configured. */
export const logLevel = (flags: ConfigFlags, { config }: LoadedConfig): LoadedConfig['config']['log']['level'] =>
  flags.quiet === true ? 'error' : (flags.verbose ?? 0) > 1 ? 'debug' : config.log.level
