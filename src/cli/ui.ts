/** `interceptor ui`: a page in the browser for the pairs in files, live traffic or a topic. */
import { Command } from 'commander'
import { addExamples, configFlags } from './options.ts'
import { requireBrokers } from './output.ts'
import { checkPaths } from './read.ts'
import { rejectPodLists, type SelectFlags, selectFlags, selectionOf } from './select.ts'
import { addSources, type SourceFlags, sourceOf } from './sources.ts'
import { createLog, untilInterrupted } from './tail.ts'
import { writeError, writeOutput } from './terminal.ts'

interface UiFlags extends SourceFlags {
  listen: string
  allowRemote?: boolean
}

/** @param exit  receives the exit code */
export function uiCommand(exit: (code: number) => void): Command {
  const command = new Command('ui').description(
    'Serve a page for the browser: a live list, each exchange in full, the service map, endpoints and the ledger. From files and interfaces, every pair counts, as with --all; from an agent or a topic, those that the rules of the agent let through.',
  )
  addSources(command)
    .optionsGroup('Page:')
    .option('--listen <host:port>', 'where the page is served', '127.0.0.1:9465')
    .option('--allow-remote', 'allow --listen an address that other machines can reach, unencrypted')
  addExamples(command, [
    ['interceptor ui shop.pcap', 'open a capture'],
    ['sudo interceptor ui -i any', 'watch all interfaces'],
    ["interceptor ui -i lo --host 'api*' --listen 127.0.0.1:0", 'watch one host on loopback, on any free port'],
    ['interceptor ui --brokers kafka:9092 --from 10m', 'open the last ten minutes of a topic, and what follows'],
  ])
  return command.action(async (files: string[], flags: UiFlags) => exit(await ui(files, flags)))
}

/** @returns the exit code */
async function ui(files: string[], flags: UiFlags): Promise<number> {
  const kind = sourceOf(files, flags)
  if (kind === 'files') checkPaths(files)
  const { effectiveConfig } = await import('../config/effective.ts')
  const loaded = await effectiveConfig({ file: flags.config, flags: configFlags(flags), all: true })
  if (kind === 'topic') requireBrokers(loaded)
  if (kind === 'files' || kind === 'interfaces') rejectPodLists(loaded, kind)
  const [{ serveUi }, { UiTraffic }, { FilteredCounts }, { createLogger }, { createFeed }] = await Promise.all([
    import('../ui/server.ts'),
    import('../ui/traffic.ts'),
    import('../ui/filtered-counts.ts'),
    import('../log/logger.ts'),
    import('./ui-feed.ts'),
  ])
  const { selection } = await selectionOf(flags)
  const log = createLog(flags, loaded, createLogger)
  const traffic = new UiTraffic()
  const feed = createFeed(kind, files, flags, { loaded, selection, traffic, log })
  const data = { traffic, filtered: new FilteredCounts(traffic), source: feed.source, select: selectorOf }
  const server = await serveUi({ listen: flags.listen, allowRemote: flags.allowRemote === true, data, log })
  writeOutput(`${server.url}\n`)
  if (flags.quiet !== true) writeError('open this address in a browser; press Ctrl-C to stop\n')
  return untilInterrupted(async (signal) => {
    try {
      await feed.run(signal)
      log.flush()
      await untilAborted(signal)
    } finally {
      await server.close()
    }
  })
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** The parameters of a page's filter that may occur several times. */
const LISTS = ['method', 'status', 'host', 'path', 'namespace', 'workload', 'pod', 'grep'] as const

/** Creates the selector of a page's filter: its parameters are named and parsed as the options are. */
async function selectorOf(parameters: URLSearchParams) {
  const [{ loadConfig }, { PairSelector }] = await Promise.all([
    import('../config/load.ts'),
    import('../select/selector.ts'),
  ])
  const flags: SelectFlags = {}
  for (const name of LISTS) {
    const values = parameters.getAll(name).filter((value) => value !== '')
    if (values.length > 0) flags[name] = values
  }
  const [minLatency, where] = [parameters.get('minLatency'), parameters.get('where')]
  if (minLatency !== null && minLatency !== '') flags.minLatency = minLatency
  if (where !== null && where !== '') flags.where = where
  const { config } = loadConfig({ env: {}, flags: selectFlags(flags) })
  const { selection } = await selectionOf(flags)
  return PairSelector.create(selection, config.filter.include)
}
