/** Rejects values that are valid alone and cannot work together. */
import * as zlib from 'node:zlib'
import type { Config } from './schema.ts'
import { formatSize } from './units.ts'

/** Finds combinations that cannot work. @returns one line per problem, with the keys concerned; empty: none */
export function impossibleCombinations(config: Config): string[] {
  return [...sinkProblems(config), ...tlsProblems(config), ...saslProblems(config), ...sizeProblems(config)]
}

function sinkProblems({ ship, kafka }: Config): string[] {
  const problems: string[] = []
  if (ship.sink === 'file' && ship.file === '') problems.push('ship.sink is file, but ship.file is empty')
  if (kafka.compression === 'zstd' && !('zstdCompress' in zlib)) {
    problems.push(
      `kafka.compression is zstd, which Node.js ${process.versions.node} does not support: use Node.js 22.15 or later, or gzip, lz4 or snappy`,
    )
  }
  const literal = kafka.brokers.find((broker) => broker.startsWith('['))
  if (literal !== undefined) {
    problems.push(
      `kafka.brokers has ${literal}: the Kafka client does not accept IPv6 addresses; use the broker’s host name`,
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

function saslProblems({ kafka: { sasl } }: Config): string[] {
  const problems: string[] = []
  for (const name of ['username', 'passwordFile'] as const) {
    if (sasl.mechanism !== '' && sasl[name] === '') {
      problems.push(`kafka.sasl.mechanism is ${sasl.mechanism}, which needs kafka.sasl.${name}`)
    }
    if (sasl.mechanism === '' && sasl[name] !== '') {
      problems.push(
        `kafka.sasl.${name} is set, but kafka.sasl.mechanism is empty: write plain, scram-sha-256 or scram-sha-512`,
      )
    }
  }
  return problems
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
