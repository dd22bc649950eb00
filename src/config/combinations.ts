/** Rejects values that are valid alone and cannot work together. */
import * as zlib from 'node:zlib'
import { errorText } from '../errors.ts'
import { Glob, hasWildcard } from './glob.ts'
import { parseLabelSelector } from './label-selector.ts'
import type { Config } from './schema.ts'
import { formatSize } from './units.ts'

/**
 * Finds combinations that cannot work.
 *
 * @param all whether `--all` disables the rules of `filter`, except for `filter.include`
 * @returns one line per problem, with the keys concerned; empty: none
 */
export function impossibleCombinations(config: Config, all: boolean): string[] {
  return [
    ...sinkProblems(config),
    ...tlsProblems(config),
    ...saslProblems(config),
    ...sizeProblems(config),
    ...(all ? [] : filterProblems(config)),
    ...targetProblems(config),
  ]
}

/** Lists of kept values that keep nothing, because a list of filtered values covers them. */
function filterProblems({ filter: { include, statuses, paths } }: Config): string[] {
  const problems: string[] = []
  if (isCovered(include.statuses, (status) => statuses.includes(status) || statuses.includes(`${status[0]}xx`))) {
    problems.push('filter.include.statuses keeps only what filter.statuses filters: no pair would be kept')
  }
  if (isCovered(include.paths, (path) => paths.some((filtered) => coversPath(filtered, path)))) {
    problems.push('filter.include.paths keeps only what filter.paths filters: no pair would be kept')
  }
  return problems
}

const isCovered = (kept: readonly string[], isFiltered: (item: string) => boolean): boolean =>
  kept.length > 0 && kept.every(isFiltered)

/** Whether `pattern` matches every path that `path` matches. With wildcards in both, true only in evident cases. */
function coversPath(pattern: string, path: string): boolean {
  // A trailing slash is ignored, as in requests.
  const other = path.replace(/(?<=.)\/$/, '')
  if (pattern === path || pattern === other) return true
  const isPrefix = pattern.endsWith('/**') && !hasWildcard(pattern.slice(0, -3))
  return (isPrefix || !hasWildcard(other)) && new Glob(pattern, { separator: '/' }).matchesText(other)
}

function targetProblems({ targets: { namespaces, selector, interfaces } }: Config): string[] {
  const both = namespaces.include.filter((item) => namespaces.exclude.includes(item))
  return [
    ...(both.length === 0
      ? []
      : [`targets.namespaces includes and excludes ${both.join(', ')}: the exclusion would win`]),
    ...selectorProblems('targets.selector', selector),
    ...interfaces.flatMap((rule, index) => selectorProblems(`targets.interfaces, ${index}.selector`, rule.selector)),
  ]
}

function selectorProblems(key: string, text: string): string[] {
  try {
    return parseLabelSelector(text).isContradictory ? [`${key}: no pod can match ${text}`] : []
  } catch (error) {
    return [`${key}: ${errorText(error)}`]
  }
}

function sinkProblems({ ship, kafka }: Config): string[] {
  const problems: string[] = []
  if (ship.sink === 'file' && ship.file === '') problems.push('ship.sink is file, but ship.file is empty')
  if (kafka.compression === 'zstd' && !('zstdCompress' in zlib)) {
    problems.push(
      `kafka.compression is zstd, which Node.js ${process.versions.node} does not support: use Node.js 22.15 or later, or gzip, lz4 or snappy`,
    )
  }
  return problems
}

function tlsProblems({ kafka: { tls } }: Config): string[] {
  const problems: string[] = []
  if (tls.certFile !== '' && tls.keyFile === '') problems.push('kafka.tls.certFile needs kafka.tls.keyFile too')
  if (tls.keyFile !== '' && tls.certFile === '') problems.push('kafka.tls.keyFile needs kafka.tls.certFile too')
  const set = (['caFile', 'certFile', 'keyFile', 'serverName'] as const).filter((name) => tls[name] !== '')
  if (!tls.enabled && set.length > 0) {
    problems.push(`kafka.tls.${set[0]} is set, but kafka.tls.enabled is false: the connection would not be encrypted`)
  }
  return problems
}

/** The keys of kafka.sasl that each mechanism uses; those it cannot do without are in NEEDED. */
const USED: Readonly<Record<Config['kafka']['sasl']['mechanism'], readonly SaslKey[]>> = {
  '': [],
  plain: ['username', 'passwordFile'],
  'scram-sha-256': ['username', 'passwordFile'],
  'scram-sha-512': ['username', 'passwordFile'],
  oauthbearer: ['tokenFile', 'tokenCommand', 'extensions'],
  'aws-msk-iam': ['tokenFile', 'tokenCommand', 'awsRegion'],
}
const NEEDED: readonly SaslKey[] = ['username', 'passwordFile']

type SaslKey = Exclude<keyof Config['kafka']['sasl'], 'mechanism'>

function saslProblems({ kafka: { sasl } }: Config): string[] {
  const used = USED[sasl.mechanism]
  const problems: string[] = []
  for (const [name, value] of Object.entries(sasl) as [SaslKey | 'mechanism', string | string[]][]) {
    if (name === 'mechanism') continue
    if (value.length === 0 && used.includes(name) && NEEDED.includes(name)) {
      problems.push(`kafka.sasl.mechanism is ${sasl.mechanism}, which needs kafka.sasl.${name}`)
    }
    if (value.length > 0 && !used.includes(name)) problems.push(unusedSaslKey(name, sasl.mechanism))
  }
  if (sasl.tokenFile !== '' && sasl.tokenCommand.length > 0) {
    problems.push('kafka.sasl.tokenFile and kafka.sasl.tokenCommand are both set: choose one')
  }
  if (sasl.mechanism === 'oauthbearer' && sasl.tokenFile === '' && sasl.tokenCommand.length === 0) {
    problems.push('kafka.sasl.mechanism is oauthbearer, which needs kafka.sasl.tokenFile or kafka.sasl.tokenCommand')
  }
  return problems
}

function unusedSaslKey(name: SaslKey, mechanism: Config['kafka']['sasl']['mechanism']): string {
  const fitting = Object.entries(USED).flatMap(([other, keys]) => (keys.includes(name) ? [other] : []))
  const is = mechanism === '' ? 'is empty' : `is ${mechanism}`
  return `kafka.sasl.${name} is set, but kafka.sasl.mechanism ${is}: it is for ${fitting.join(', ')}`
}

/** Sizes of which a multiple must fit into another: [inner, outer, factor]. */
const FITS = [
  ['limits.messageBytes', 'limits.memory', 4],
  ['limits.pairBytes', 'limits.memory', 4],
  ['limits.pairBytes', 'ship.bufferBytes', 1],
  ['ship.batchBytes', 'ship.bufferBytes', 1],
  ['ship.bufferBytes', 'limits.memory', 1],
] as const

function sizeProblems(config: Config): string[] {
  const { limits, ship } = config
  const sizes = {
    'limits.messageBytes': limits.messageBytes,
    'limits.pairBytes': limits.pairBytes,
    'limits.memory': limits.memory,
    'ship.bufferBytes': ship.bufferBytes,
    'ship.batchBytes': ship.batchBytes,
  }
  return FITS.filter(([inner, outer, times]) => sizes[inner] * times > sizes[outer]).map(
    ([inner, outer, times]) =>
      `${inner} (${formatSize(sizes[inner])}) must be at most ${times === 1 ? '' : 'a quarter of '}${outer} (${formatSize(sizes[outer])})`,
  )
}
