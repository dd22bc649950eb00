/**
 * The options that select pairs. Most set a key of `filter.include`, which assemblers apply before a body is copied;
 * `--grep` and `--where` need the whole pair.
 */
import { type Command, InvalidArgumentError } from 'commander'
import type { FlagValue } from '../config/layers.ts'
import type { LoadedConfig } from '../config/load.ts'
import { usageError } from '../errors.ts'
import type { PairSelection } from '../select/selector.ts'

/** Collects a repeatable option. */
export const append = (value: string, before: string[] = []): string[] => [...before, value]

/** As `append`, for a text to search for: every pair contains the empty one. */
function appendText(value: string, before?: string[]): string[] {
  if (value === '') throw new InvalidArgumentError('It must not be empty: every pair contains the empty text.')
  return append(value, before)
}

/** Options of commands that select pairs. */
export interface SelectFlags {
  method?: string[]
  status?: string[]
  host?: string[]
  path?: string[]
  namespace?: string[]
  workload?: string[]
  pod?: string[]
  minLatency?: string
  grep?: string[]
  where?: string
}

/** Adds the options that select pairs. */
export function addSelectOptions(command: Command): Command {
  return command
    .optionsGroup('Selection (repeat an option or separate values by commas):')
    .option('--method <list>', 'methods, such as POST', append)
    .option('--status <list>', 'statuses or classes, such as 404 or 5xx; in place of filter.statuses', append)
    .option('--host <list>', 'Host fields without port, with wildcards', append)
    .option('--path <list>', "paths, such as '/api/**'; in place of filter.paths", append)
    .option('--namespace <list>', 'namespaces of the pod at either end, with wildcards', append)
    .option('--workload <list>', 'workloads of the pod at either end: api or Deployment/api', append)
    .option('--pod <list>', 'pods at either end, with wildcards', append)
    .option('--min-latency <duration>', 'pairs that took at least this long, such as 200ms')
    .option('--grep <text>', 'pairs with this text in a start line, header or body; repeat for several', appendText)
    .option('--where <expression>', 'pairs for which a CEL expression holds, such as response.status >= 500')
}

const LISTS = [
  ['methods', 'method'],
  ['statuses', 'status'],
  ['hosts', 'host'],
  ['paths', 'path'],
  ['namespaces', 'namespace'],
  ['workloads', 'workload'],
  ['pods', 'pod'],
] as const

/**
 * The configuration values that the options set. `--status` and `--path` disable the rule about the same property, which
 * might filter the requested pairs.
 */
export function selectFlags(flags: SelectFlags): FlagValue[] {
  const values: FlagValue[] = LISTS.flatMap(([key, name]) => {
    const list = flags[name]
    return list === undefined ? [] : [{ path: `filter.include.${key}`, value: list.join(','), name: `--${name}` }]
  })
  const { minLatency, status, path } = flags
  if (minLatency !== undefined) {
    values.push({ path: 'filter.include.minLatency', value: minLatency, name: '--min-latency' })
  }
  if (status !== undefined) values.push({ path: 'filter.statuses', value: '', name: '--status' })
  if (path !== undefined) values.push({ path: 'filter.paths', value: '', name: '--path' })
  return values
}

/** Whether any option selects pairs. */
export const selects = (flags: SelectFlags): boolean =>
  selectFlags(flags).length > 0 || flags.grep !== undefined || flags.where !== undefined

/** The keys of `filter.include` that select pods. */
const POD_LISTS = ['namespaces', 'workloads', 'pods'] as const

/**
 * Rejects a selection of pods where pairs have none.
 *
 * @param source  of the pairs, for the message
 * @throws InterceptorError (EXIT_USAGE)
 */
export function rejectPodLists({ config, origins }: LoadedConfig, source: string): void {
  const list = POD_LISTS.find((name) => config.filter.include[name].length > 0)
  if (list === undefined) return
  const key = `filter.include.${list}`
  throw usageError(
    `${key} (${origins.get(key)?.name}) selects pods, but pairs from ${source} have none: no pair would be kept`,
    {
      hint: `Only the agent knows pods. Select by host or address, or clear the list: --set ${key}=`,
    },
  )
}

/**
 * What `--grep` and `--where` select; absent without them.
 *
 * @throws InterceptorError (EXIT_USAGE) for an expression that is wrong, before any worker is started
 */
export async function selectionOf({ grep = [], where }: SelectFlags): Promise<{ selection?: PairSelection }> {
  if (grep.length === 0 && where === undefined) return {}
  const selection = { grep, where: where ?? null }
  const { PairSelector } = await import('../select/selector.ts')
  await PairSelector.create(selection)
  return { selection }
}
