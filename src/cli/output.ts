/** Where the pairs of a run go: decided from the options, then the configuration, then what standard output is. */
import type { LoadedConfig } from '../config.ts'
import { usageError } from '../errors.ts'
import type { OutputFormat, OutputOptions } from '../supervisor/options.ts'
import type { ConfigFlags, OutputFlags } from './options.ts'
import { wantsColor } from './terminal.ts'

export type Sink = LoadedConfig['config']['ship']['sink']

/** What is known of standard output. */
export interface OutputTerminal {
  isTerminal: boolean
  columns: number | null
}

/**
 * - `-o` or `-w`: pairs are printed, or written to the file;
 * - else `--brokers` or `--topic`: pairs go to Kafka, and nothing is printed;
 * - else `ship.sink`, where the configuration sets it;
 * - else they are printed as text.
 *
 * @throws InterceptorError (exit 2) for both at once, for Kafka without brokers, and for binary to a terminal
 */
export function chooseSink(flags: OutputFlags, loaded: LoadedConfig): Sink {
  const prints = flags.output !== undefined || flags.write !== undefined
  const ships = flags.brokers !== undefined || flags.topic !== undefined
  if (ships && flags.output !== 'none' && prints) {
    throw usageError('pairs are either printed (-o, -w) or shipped to Kafka (--brokers, --topic), not both', {
      hint: 'Run interceptor tail beside it to see what arrives in the topic; --format chooses the form of Kafka values.',
    })
  }
  if (ships) return kafkaSink(loaded)
  if (flags.output === 'none') return 'none'
  if (flags.write !== undefined && flags.write !== '-') return 'file'
  if (prints || loaded.origins.get('ship.sink')?.kind === 'default') return 'stdout'
  return loaded.config.ship.sink === 'kafka' ? kafkaSink(loaded) : loaded.config.ship.sink
}

function kafkaSink(loaded: LoadedConfig): 'kafka' {
  requireBrokers(loaded)
  return 'kafka'
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
