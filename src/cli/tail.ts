/** `interceptor tail`: prints the pairs in a Kafka topic. */
import { openSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { configFilePath } from '../config/file-path.ts'
import type { LoadedConfig } from '../config/load.ts'
import { EXIT_DONE, EXIT_INTERRUPTED, fileErrorText, runtimeError } from '../errors.ts'
import type { TailFrom } from '../tail/topic-reader.ts'
import { addConfigOptions, addExamples, addOutputOptions, configFlags, type OutputFlags } from './options.ts'
import { logLevel, outputOptions, requireBrokers, warnOfIgnoredWrite } from './output.ts'
import { rejectOverwrites } from './overwrites.ts'
import { selectionOf } from './select.ts'
import { errorIsTerminal, outputColumns, outputIsTerminal, wantsColor, writeError } from './terminal.ts'

interface TailFlags extends OutputFlags {
  from: TailFrom
  partition?: number[]
  offset?: number
  follow: boolean
}

const STANDARD_OUTPUT = 1

/** @param exit  receives the exit code */
export function tailCommand(exit: (code: number) => void): Command {
  const command = new Command('tail')
    .description('Print the pairs that arrive in a Kafka topic, until Ctrl-C. Uses no consumer group.')
    .option(
      '--from <where>',
      'where to start: beginning, end, a time (2026-11-23T12:00:00Z), or an age (10m)',
      parseFrom,
      'end',
    )
    .option('--partition <list>', 'only these partitions', parsePartitions)
    .option('--offset <n>', 'the first offset in each partition, in place of --from', wholeNumber)
    .option('--no-follow', 'stop at the end of the topic instead of waiting for more')
  addOutputOptions(command)
  addConfigOptions(command)
  addExamples(command, [
    ['interceptor tail --brokers kafka:9092', 'print what arrives in interceptor.pairs from now on'],
    [
      'interceptor tail --brokers kafka:9092 --topic pairs --from beginning --no-follow',
      'print the whole topic, then stop',
    ],
    [
      'interceptor tail --brokers kafka:9092 --from 10m -o ndjson | jq .request.target',
      'print the pairs of the last ten minutes as JSON',
    ],
    [
      'interceptor tail --config agent.yaml -v -c 1',
      'print the next pair with its bodies, with TLS and authentication as configured',
    ],
  ])
  return command.action(async (flags: TailFlags) => exit(await tailTopic(flags)))
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/**
 * Parses the value of --from.
 *
 * @param text  `beginning`, `end`, an ISO 8601 time, milliseconds since the Unix epoch, or an age such as `10m`
 * @param now  milliseconds since the Unix epoch
 * @throws InvalidArgumentError for anything else
 */
export function parseFrom(text: string, _previous?: unknown, now = Date.now()): TailFrom {
  if (text === 'beginning' || text === 'end') return text
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? []
  if (amount !== undefined) return now - Number(amount) * UNITS[unit as keyof typeof UNITS]
  if (/^\d{12,14}$/.test(text)) return Number(text)
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw new InvalidArgumentError('It must be beginning, end, a time or an age (10m).')
  return time
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 0 or more.')
  return Number(text)
}

const parsePartitions = (text: string, before: number[] = []): number[] => [
  ...before,
  ...text.split(',').map(wholeNumber),
]

/** Prints the pairs in a topic. @returns the exit code */
export async function tailTopic(flags: TailFlags): Promise<number> {
  const { effectiveConfig } = await import('../config/effective.ts')
  const loaded = await effectiveConfig({ file: flags.config, flags: configFlags(flags) })
  requireBrokers(loaded)
  const [{ tail }, { PairSelector }, { createFormat }, { FdOutput }, { createLogger }, { VERSION }] = await Promise.all(
    [
      import('../tail/tail.ts'),
      import('../select/selector.ts'),
      import('../format/create-format.ts'),
      import('../output/fd-output.ts'),
      import('../log/logger.ts'),
      import('../version.ts'),
    ],
  )
  const { format, file, ...formatOptions } = tailOutput(flags, loaded)
  const { kafka } = loaded.config
  const log = createLogger({
    level: logLevel(flags, loaded),
    form: 'lines',
    color: wantsColor(flags.color, errorIsTerminal()),
  })
  warnOfIgnoredWrite(flags, log)
  const { selection } = await selectionOf(flags)
  const selector = await PairSelector.create(selection, loaded.config.filter.include)
  const output = new FdOutput(file === null ? STANDARD_OUTPUT : openOutput(file))
  return untilInterrupted(async (signal) => {
    const result = await tail({
      kafka,
      range: { from: flags.from, partitions: flags.partition ?? null, offset: flags.offset ?? null },
      follow: flags.follow,
      limit: flags.count ?? null,
      selector,
      format: createFormat(format, { ...formatOptions, version: VERSION }),
      output,
      log,
      signal,
      onWait: () => flags.quiet !== true && writeError(waitingLine(kafka)),
    }).finally(() => output.close())
    log.flush()
    if (flags.quiet !== true && result.foreign > 0) {
      writeError(`${result.pairs} pairs; ${result.foreign} records skipped because they are not pairs\n`)
    }
  })
}

const waitingLine = ({ topic, brokers }: LoadedConfig['config']['kafka']): string =>
  `waiting for pairs in the topic ${topic} at ${brokers.join(', ')}; press Ctrl-C to stop\n`

function tailOutput(flags: TailFlags, loaded: LoadedConfig) {
  const printed = flags.write === undefined || flags.write === '-' ? 'stdout' : 'file'
  const terminal = { isTerminal: outputIsTerminal(), columns: outputColumns() }
  const output = outputOptions(flags, flags.output === 'none' ? 'none' : printed, loaded, terminal)
  const config = configFilePath(flags.config)
  if (config !== undefined && output.file !== null) {
    const inputs = [{ name: `the configuration file ${config}`, path: config }]
    rejectOverwrites(inputs, [{ name: `-w ${output.file}`, path: output.file }])
  }
  return output
}

function openOutput(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (error) {
    throw runtimeError(`cannot write ${path}: ${fileErrorText(error)}`, { cause: error })
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The first signal aborts the work and waits for it; the second does not wait. */
async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<number> {
  const abort = new AbortController()
  let interrupt: (code: number) => void = () => {}
  const interrupted = new Promise<number>((resolve) => {
    interrupt = resolve
  })
  const onSignal = (signal: NodeJS.Signals): void => {
    if (abort.signal.aborted && signal !== 'SIGHUP') interrupt(EXIT_INTERRUPTED)
    abort.abort()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  try {
    return await Promise.race([work(abort.signal).then(() => EXIT_DONE), interrupted])
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}
