/** `interceptor tail`: prints the pairs in a Kafka topic, or those that a running agent ships. */
import { openSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { configFilePath } from '../config/file-path.ts'
import type { LoadedConfig } from '../config/load.ts'
import { EXIT_DONE, EXIT_INTERRUPTED, fileErrorText, runtimeError, usageError } from '../errors.ts'
import type { createLogger, Logger } from '../log/logger.ts'
import type { Printed, PrinterOptions } from '../tail/printer.ts'
import type { TailFrom } from '../tail/topic-reader.ts'
import { AGENT_OPTION, type AgentSourceFlags, findAgent, printAgent } from './agent-source.ts'
import {
  addExamples,
  addOutputOptions,
  addPairConfigOptions,
  type ConfigFlags,
  configFlags,
  type OutputFlags,
} from './options.ts'
import { logLevel, outputOptions, requireBrokers, warnOfIgnoredWrite } from './output.ts'
import { rejectOverwrites } from './overwrites.ts'
import { selectionOf } from './select.ts'
import { errorIsTerminal, outputColumns, outputIsTerminal, wantsColor, writeError } from './terminal.ts'

/** Options of commands that read a topic or an agent. */
export interface TailFlags extends OutputFlags, AgentSourceFlags {
  from?: TailFrom
  partition?: number[]
  offset?: number
  group?: string
  follow?: boolean
}

const STANDARD_OUTPUT = 1

/** @param exit  receives the exit code */
export function tailCommand(exit: (code: number) => void): Command {
  const command = new Command('tail')
    .description(
      'Print the pairs that arrive in a Kafka topic, or those of the agent that runs on this machine, until Ctrl-C. Without options the agent is read if there is one. Uses no consumer group unless one is named.',
    )
    .option(...AGENT_OPTION)
    .option(
      '--from <where>',
      'where to start: beginning, end, a time (2026-11-23T12:00:00Z), or an age (10m) (default: end)',
      (text) => parseFrom(text),
    )
    .option('--partition <list>', 'only these partitions', parsePartitions)
    .option('--offset <n>', 'the first offset in each partition, in place of --from', wholeNumber)
    .option(
      '--group <name>',
      'a consumer group without members: start where it has committed, and commit what was printed',
      groupName,
    )
    .option('--no-follow', 'stop at the end of the topic instead of waiting for more')
  addOutputOptions(command)
  addPairConfigOptions(command)
  addExamples(command, [
    ['kubectl exec -it ds/interceptor -- interceptor tail', 'print the pairs that an agent ships, without Kafka'],
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
  return command.action(async (flags: TailFlags) => exit(await tailPairs(flags)))
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

function groupName(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.')
  return text
}

const parsePartitions = (text: string, before: number[] = []): number[] => [
  ...before,
  ...text.split(',').map(wholeNumber),
]

/** Prints the pairs of a topic or of a running agent. @returns the exit code */
export async function tailPairs(flags: TailFlags): Promise<number> {
  const { effectiveConfig } = await import('../config/effective.ts')
  const loaded = await effectiveConfig({ file: flags.config, flags: configFlags(flags), all: true })
  const agent = await findAgent(flags, loaded)
  if (agent === null) requireBrokers(loaded)
  const log = createLog(flags, loaded, (await import('../log/logger.ts')).createLogger)
  const printing = await preparePrinting(flags, loaded, log)
  const print = agent === null ? printTopic(flags, loaded, log) : printAgent(flags, agent)
  return untilInterrupted(async (signal) => {
    const { foreign, pairs } = await print({ ...printing, signal }).finally(() => printing.output.close())
    log.flush()
    if (flags.quiet !== true && foreign > 0) {
      writeError(`${pairs} pairs; ${foreign} records skipped because they are not pairs\n`)
    }
  })
}

/** Prints pairs of a source until its end, or until `signal` is aborted. */
type Print = (options: PrinterOptions) => Promise<Printed>

const printTopic =
  (flags: TailFlags, { config: { kafka } }: LoadedConfig, log: Logger): Print =>
  async (options) => {
    const { tail } = await import('../tail/tail.ts')
    const { from = 'end', partition = null, offset = null, group = null, follow = true } = flags
    if (group !== null && offset !== null)
      throw usageError('--offset and --group exclude each other: each chooses where to start')
    const onWait = (): void => {
      if (flags.quiet !== true) writeError(waitingLine(kafka))
    }
    return tail({ ...options, kafka, range: { from, partitions: partition, offset, group }, follow, log, onWait })
  }

const waitingLine = ({ topic, brokers }: LoadedConfig['config']['kafka']): string =>
  `waiting for pairs in the topic ${topic} at ${brokers.join(', ')}; press Ctrl-C to stop\n`

/** The log of a command that reads pairs, for a person. @param create loaded by the caller */
export const createLog = (
  flags: ConfigFlags & Pick<OutputFlags, 'color'>,
  loaded: LoadedConfig,
  create: typeof createLogger,
): Logger =>
  create({ level: logLevel(flags, loaded), form: 'lines', color: wantsColor(flags.color, errorIsTerminal()) })

/** Everything that printing needs but the signal, which ends it. */
async function preparePrinting(
  flags: TailFlags,
  loaded: LoadedConfig,
  log: Logger,
): Promise<Omit<PrinterOptions, 'signal'>> {
  const [{ PairSelector }, { createFormat }, { FdOutput }, { VERSION }] = await Promise.all([
    import('../select/selector.ts'),
    import('../format/create-format.ts'),
    import('../output/fd-output.ts'),
    import('../version.ts'),
  ])
  const { format, file, ...formatOptions } = tailOutput(flags, loaded)
  warnOfIgnoredWrite(flags, log)
  const { selection } = await selectionOf(flags)
  const selector = await PairSelector.create(selection, loaded.config.filter.include)
  return {
    limit: flags.count ?? null,
    selector,
    format: createFormat(format, { ...formatOptions, version: VERSION }),
    output: new FdOutput(file === null ? STANDARD_OUTPUT : openOutput(file)),
  }
}

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
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<number> {
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
