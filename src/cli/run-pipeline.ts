/**
 * Runs the pipeline for a command: progress, signals, summary, exit code. Main thread.
 *
 * The first SIGINT or SIGTERM, and a SIGHUP, drain the run within `shutdown.timeout`; a second signal stops it at once.
 */
import { configFilePath } from '../config/file-path.ts'
import type { LoadedConfig } from '../config/load.ts'
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_RUNTIME, EXIT_USAGE } from '../errors.ts'
import { counted } from '../format/units.ts'
import { count } from '../ledger/ledger.ts'
import { createLogger, type Logger } from '../log/logger.ts'
import type { Outcome, PipelineInput, PipelineOptions } from '../supervisor/options.ts'
import { startPipeline } from '../supervisor/pipeline.ts'
import type { PipelineFlags } from './options.ts'
import { chooseSink, logLevel, outputOptions, type SinkName, warnOfIgnoredWrite } from './output.ts'
import { type NamedFile, rejectOverwrites, requireWritable } from './overwrites.ts'
import { type ProgressLine, progressLine } from './progress-line.ts'
import { selectionOf } from './select.ts'
import { damageLines, type RunFacts, summaryLine, writeLedger } from './summary.ts'
import { errorColumns, errorIsTerminal, outputColumns, outputIsTerminal, wantsColor, writeError } from './terminal.ts'
import { type Ended, NOT_REPORTED, untilDone } from './until-done.ts'
import { WaitingStatus } from './waiting-status.ts'

/** Keys of the bounds that drop pairs, by the reason in the ledger. */
const BUFFER_BOUNDS = { maxAge: 'ship.maxAge', bufferBytes: 'ship.bufferBytes' } as const
/** Pairs left by a reader that closes the output, as `head` does, count as `shutdown` too, although no bound was reached. */
const SHIP_BOUNDS = { ...BUFFER_BOUNDS, shutdown: 'shutdown.timeout' } as const

/**
 * Runs the pipeline until its input ends or a signal stops it.
 *
 * @param announcement  printed on standard error once the input is open; null: nothing
 * @returns the exit code
 * @throws InterceptorError (EXIT_USAGE) if the options exclude each other
 */
export async function runPipeline(
  flags: PipelineFlags,
  loaded: LoadedConfig,
  input: PipelineInput,
  announcement: string | null = null,
): Promise<number> {
  const sink = chooseSink(flags, loaded)
  const terminal = { isTerminal: outputIsTerminal(), columns: outputColumns() }
  const output = outputOptions(flags, sink, loaded, terminal)
  const selection = await selectionOf(flags)
  rejectOverwrites(inputFiles(input, flags), outputFiles(output.file, sink, flags))
  if (output.file !== null) requireWritable(output.file, output.file)
  if (flags.summary !== undefined && flags.summary !== '-')
    requireWritable(flags.summary, `the summary to ${flags.summary}`)
  const config = { ...loaded.config, ship: { ...loaded.config.ship, sink } }
  const onTerminal = sink === 'stdout' && terminal.isTerminal
  const isLive = input.kind === 'interfaces'
  const showsProgress = wantsProgress(flags, onTerminal && (isLive || output.format !== 'text'))
  const waits = isLive && flags.quiet !== true && flags.progress !== 'never'
  const line =
    showsProgress || (waits && errorIsTerminal()) ? progressLine({ write: writeError, columns: errorColumns() }) : null
  const log = createLogger({
    level: logLevel(flags, loaded),
    form: 'lines',
    color: wantsColor(flags.color, errorIsTerminal()),
    write: clearing(line),
  })
  warnOfIgnoredWrite(flags, log)
  const limit = flags.count ?? null
  const all = flags.all === true
  const interfaces = (flags.verbose ?? 0) > 0 ? () => handle.observe().interfaces : null
  const waiting = waits ? new WaitingStatus({ ledger: () => handle.ledger, interfaces, line, write: writeError }) : null
  const onProgress = watcher(showsProgress ? line : null, waiting, flags.quiet === true ? null : announcement)
  const handle = startPipeline({ config, input, output, limit, all, ...selection, log, onProgress })
  const ended = await untilDone(handle, config.shutdown.timeout, log, { hangup: true })
  line?.clear()
  log.flush()
  return conclude(ended, { sink, all, limit, signalled: ended.signals > 0 }, flags, log)
}

function inputFiles(input: PipelineInput, flags: PipelineFlags): NamedFile[] {
  const captures = input.kind === 'files' ? input.paths : []
  const config = configFilePath(flags.config)
  return [
    ...captures.map((path) => ({ name: path === '-' ? 'standard input' : `the input ${path}`, path })),
    ...(config === undefined ? [] : [{ name: `the configuration file ${config}`, path: config }]),
  ]
}

function outputFiles(file: string | null, sink: SinkName, flags: PipelineFlags): NamedFile[] {
  const { summary } = flags
  return [
    ...(sink === 'stdout' ? [{ name: 'standard output', path: '-' }] : []),
    ...(file === null ? [] : [{ name: flags.write === undefined ? `ship.file ${file}` : `-w ${file}`, path: file }]),
    ...(summary === undefined || summary === '-' ? [] : [{ name: `--summary ${summary}`, path: summary }]),
  ]
}

/** Hides the progress line while other output on the same terminal could leave fragments of it behind. */
function wantsProgress(flags: PipelineFlags, disturbs: boolean): boolean {
  if (flags.progress !== 'auto') return flags.progress === 'always'
  return errorIsTerminal() && flags.quiet !== true && !disturbs
}

/** Prints the announcement at the first progress event, then the status, and the progress once there are pairs. */
function watcher(
  line: ProgressLine | null,
  waiting: WaitingStatus | null,
  announcement: string | null,
): PipelineOptions['onProgress'] {
  if (line === null && waiting === null && announcement === null) return null
  let announced = announcement === null
  return (progress) => {
    if (!announced) writeError(`${announcement}\n`)
    announced = true
    if (waiting?.update() !== true) line?.update(progress)
  }
}

const clearing = (line: ProgressLine | null) => (text: string) => {
  line?.clear()
  writeError(text)
}

/** Writes the ledger and reports how the run ended. */
function conclude({ outcome, signals }: Ended, facts: RunFacts, flags: PipelineFlags, log: Logger): number {
  if (outcome === null) {
    log.error(NOT_REPORTED)
    return signals > 1 ? EXIT_INTERRUPTED : EXIT_RUNTIME
  }
  if (flags.summary !== undefined) writeLedger(flags.summary, outcome.ledger)
  for (const line of damageLines(outcome)) log.warn(line)
  const { failure } = outcome
  if (failure !== null) writeError(`interceptor: ${failure.message}\n`)
  if (failure !== null && failure.hint !== null) writeError(`${failure.hint}\n`)
  // A run that a wrong option ended, or that failed before its first frame, has nothing to summarise.
  const wrong = failure?.exitCode === EXIT_USAGE
  const started = failure === null || (!wrong && count(outcome.ledger, 'frames.seen') > 0)
  const line = started && flags.quiet !== true ? summaryLine(outcome.ledger, facts) : null
  if (line !== null) writeError(`${line}\n`)
  if (signals > 1) return EXIT_INTERRUPTED
  const bounds = reachedBounds(outcome, facts)
  const unshipped = bounds.reduce((sum, { pairs }) => sum + pairs, 0)
  if (unshipped > 0) {
    const keys = bounds.map(({ key }) => key).join(', ')
    const verb = facts.sink === 'kafka' ? 'shipped to Kafka' : 'written'
    writeError(`interceptor: ${counted(unshipped, 'pair')} could not be ${verb} in time (${keys})\n`)
  }
  const rejected = count(outcome.ledger, 'pairs.dropped.rejected')
  if (rejected > 0) writeError(`interceptor: the output rejected ${counted(rejected, 'pair')}\n`)
  return unshipped + rejected > 0 && outcome.exitCode === EXIT_DONE ? EXIT_RUNTIME : outcome.exitCode
}

/** The bounds at which pairs were dropped because the output had not accepted them, with the pairs of each; none beyond -c. */
function reachedBounds({ ledger }: Outcome, { sink, limit }: RunFacts): { key: string; pairs: number }[] {
  const enough = limit !== null && count(ledger, 'pairs.shipped') >= limit
  if (enough) return []
  return Object.entries(sink === 'kafka' ? SHIP_BOUNDS : BUFFER_BOUNDS)
    .map(([reason, key]) => ({ key, pairs: count(ledger, `pairs.dropped.${reason}`) }))
    .filter(({ pairs }) => pairs > 0)
}
