/** `interceptor top`: a table of the routes in files, live traffic or a topic. */
import { Command, Option } from 'commander'
import { TopView } from '../format/top-view.ts'
import { GROUPINGS, type Grouping, SORT_KEYS, type SortKey } from '../routes/route-names.ts'
import { addExamples } from './options.ts'
import { addSourceOptions, runSource, type SourceFlags } from './sources.ts'
import { outputColumns, outputIsTerminal, outputRows } from './terminal.ts'
import { watchTerminal } from './top-keys.ts'

/** Rows and columns of a terminal whose size is unknown. */
const ROWS = 24
const COLUMNS = 80

interface TopFlags extends Omit<SourceFlags, 'progress'> {
  by: Grouping
  sort: SortKey
  output: 'table' | 'json'
  once?: boolean
}

/** @param exit  receives the exit code */
export function topCommand(exit: (code: number) => void): Command {
  const command = new Command('top').description(
    'Count requests, errors, latency and sizes by route, with numbers, UUIDs, hashes and dates in paths as {id}. From files and interfaces, every pair counts, as with --all; from an agent or a topic, those that the rules of the agent let through.',
  )
  addSourceOptions(command)
    .optionsGroup('Table:')
    .addOption(new Option('--by <what>', 'what is counted').choices(GROUPINGS).default('route'))
    .addOption(new Option('--sort <key>', 'order of the rows, most first').choices(SORT_KEYS).default('requests'))
    .addOption(new Option('-o, --output <format>', 'output format').choices(['table', 'json']).default('table'))
    .option('--once', 'print one table at the end, also on a terminal')
  addExamples(command, [
    ['interceptor top shop.pcap', 'print the routes of a capture'],
    ['sudo interceptor top -i any', 'watch all interfaces; Ctrl-C prints the final table'],
    ['interceptor top --by workload --sort p99 -i eth0', 'list the slowest servers first'],
    ["interceptor top --status 5xx --path '/api/**' --once -c 1000 -i eth0", 'count the next 1,000 errors of an API'],
    [
      'interceptor top --brokers kafka:9092 --from 10m --no-follow -o json',
      'write the last ten minutes of a topic as JSON',
    ],
  ])
  return command.action(async (files: string[], flags: TopFlags) => {
    const { by, sort, output, once, ...source } = flags
    const draws = output === 'table' && once !== true && source.write === undefined && outputIsTerminal()
    const view = draws ? TopView.allocate(by, sort, outputRows() ?? ROWS, outputColumns() ?? COLUMNS) : null
    const release = view !== null && process.stdin.isTTY ? watchTerminal(new TopView(view)) : null
    try {
      const progress = draws ? 'never' : 'auto'
      exit(
        await runSource(files, { ...source, progress }, 'routes', { top: { by, sort, json: output === 'json', view } }),
      )
    } finally {
      release?.()
    }
  })
}
