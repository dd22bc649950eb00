/**
 * Runs the pipeline for a command: its output, progress and signals. Main thread.
 *
 * The first SIGINT or SIGTERM, and a SIGHUP, drain the run within `shutdown.timeout`; a second signal stops it at once.
 */
import { configFilePath } from '../config/file-path.ts'
import type { LoadedConfig } from '../config/load.ts'
import { createLogger } from '../log/logger.ts'
import type { PipelineInput, PipelineOptions } from '../supervisor/options.ts'
import { startPipeline } from '../supervisor/pipeline.ts'
import { conclude } from './conclude.ts'
import type { PipelineFlags } from './options.ts'
import { chooseSink, logLevel, outputOptions, type SinkName, warnOfIgnoredWrite } from './output.ts'
import { type NamedFile, rejectOverwrites, requireWritable } from './overwrites.ts'
import { type ProgressLine, progressLine } from './progress-line.ts'
import { selectionOf } from './select.ts'
import { errorColumns, errorIsTerminal, outputColumns, outputIsTerminal, wantsColor, writeError } from './terminal.ts'
import { untilDone } from './until-done.ts'
import { WaitingStatus } from './waiting-status.ts'

/**
 * Runs the pipeline until its input ends or a signal stops it.
 *
 * @param announcement  printed on standard error once the input is open; null: nothing
 * @returns the exit code
 * @throws InterceptorError: the options exclude each other (EXIT_USAGE), or a file cannot be written (EXIT_RUNTIME)
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
  checkFiles(input, output.file, sink, flags)
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

/** @throws InterceptorError if the run would write to a file that it reads, or cannot write to one */
function checkFiles(input: PipelineInput, file: string | null, sink: SinkName, flags: PipelineFlags): void {
  rejectOverwrites(inputFiles(input, flags), outputFiles(file, sink, flags))
  if (file !== null) requireWritable(file, file)
  const { summary } = flags
  if (summary !== undefined && summary !== '-') requireWritable(summary, `the summary to ${summary}`)
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
