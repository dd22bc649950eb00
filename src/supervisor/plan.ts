/**
 * Plans a run before anything is started: the number of workers, the size of their rings, the shipper's output. Pure,
 * except that it reads the CPU limit and chooses the secret of the flow hash.
 */
import { randomBytes } from 'node:crypto'
import type { AssemblerOptions } from '../assemble/assembler-options.ts'
import type { Config } from '../config/schema.ts'
import type { Rotation } from '../output/output-file.ts'
import { kafkaSinkSpec, type SinkSpec } from '../ship/worker-data.ts'
import { VERSION } from '../version.ts'
import { type Budget, divideMemory } from './budget.ts'
import { cpuLimit } from './cpu/cpu-limit.ts'
import type { PipelineOptions } from './options.ts'

export interface Plan {
  node: string
  assemblers: number
  /** The most capture workers. */
  captures: number
  budget: Budget
  assemblerOptions: AssemblerOptions
  sink: SinkSpec
  /** File input waits for slower stages; live capture cannot. */
  whenFull: 'wait' | 'drop'
  /** Secret of the flow hash, int32; 0 for files. */
  flowSecret: number
  /** Share of a core that the warm-up of a capture thread may use; 0: there is none, as for files. */
  warmUpShare: number
}

/** Share of an assembler's memory for connections and exchanges; the rest is for bytes. */
const STATE_PART = 1 / 3
/** The part of `limits.cpu` that the warm-up of all capture threads together may use: the rest is for frames. */
const WARM_UP_PART = 1 / 2
/** The most assemblers that `auto` starts. */
const MOST_ASSEMBLERS = 8

/**
 * @param interfaces how many will be captured; null: it changes during the run; 1 for files
 * @throws InterceptorError (EXIT_USAGE) when limits contradict each other
 */
export function planRun(options: PipelineOptions, interfaces: number | null): Plan {
  const { config } = options
  const isFile = options.input.kind === 'files'
  const node = config.node.name
  const assemblers = assemblerCount(config, isFile)
  const { limits, ship } = config
  const captures = isFile ? 1 : captureWorkers(config, interfaces)
  const budget = divideMemory(
    { memory: limits.memory, bufferBytes: ship.bufferBytes, pairBytes: limits.pairBytes },
    { captures, assemblers, holdsBursts: !isFile },
  )
  return {
    node,
    assemblers,
    captures: budget.captures,
    budget,
    assemblerOptions: {
      node,
      filter: config.filter,
      everything: options.all,
      selection: options.selection,
      messageBytes: limits.messageBytes,
      pairBytes: limits.pairBytes,
      responseTimeoutMicros: limits.responseTimeout * 1000,
      incompleteResponses: config.assemble.incompleteResponses,
      idleTimeoutMicros: limits.idleTimeout * 1000,
      flows: Math.max(16, Math.floor(limits.flows / assemblers)),
      stateBytes: Math.floor(budget.poolBytes * STATE_PART),
      poolBytes: budget.poolBytes - Math.floor(budget.poolBytes * STATE_PART),
      keep: config.targets.keep,
      clusterNetworks: config.targets.clusterNetworks,
    },
    sink: sinkSpec(options, node),
    whenFull: isFile ? 'wait' : 'drop',
    flowSecret: isFile ? 0 : randomBytes(4).readInt32LE(),
    warmUpShare: isFile || !config.capture.warmUp ? 0 : warmUpShare(limits.cpu, budget.captures),
  }
}

/** @param cpu `limits.cpu`; 0: no limit @param threads capture threads, which warm up at the same time */
const warmUpShare = (cpu: number, threads: number): number =>
  cpu === 0 ? 1 : Math.min(1, (WARM_UP_PART * cpu) / threads)

/** One assembler for files, so that pairs come out in the file's order, the same in every run. */
function assemblerCount(config: Config, isFile: boolean): number {
  if (config.assemble.workers !== 'auto') return config.assemble.workers
  return isFile ? 1 : Math.min(MOST_ASSEMBLERS, shareOfCpus(1 / 2))
}

/** Few, because capturing a frame is a fraction of the work of assembling it, and even an idle thread needs 10 MB. */
function captureWorkers(config: Config, interfaces: number | null): number {
  return Math.min(config.capture.maxWorkers, shareOfCpus(1 / 4), interfaces ?? Number.POSITIVE_INFINITY)
}

const shareOfCpus = (share: number): number => Math.max(1, Math.floor(cpuLimit() * share))

function sinkSpec({ config, output, onPairs }: PipelineOptions, node: string): SinkSpec {
  if (onPairs !== undefined) return { kind: 'post', consumed: new SharedArrayBuffer(4) }
  switch (config.ship.sink) {
    case 'kafka':
      return kafkaSinkSpec(config, node)
    case 'none':
      return { kind: 'none' }
    case 'file':
    case 'stdout': {
      if (output.format === 'none') return { kind: 'none' }
      const { format, file, append, ...formatOptions } = output
      return {
        kind: 'stream',
        path: file,
        append: append === true,
        rotation: rotationOf(config.ship),
        format,
        formatOptions: { ...formatOptions, version: VERSION },
      }
    }
  }
}

/** In the configuration, 0 means: never rotate, and keep all files. */
const rotationOf = ({ fileMaxBytes, fileMaxAge, fileKeep }: Config['ship']): Rotation => ({
  maxBytes: fileMaxBytes || Number.POSITIVE_INFINITY,
  maxAgeMs: fileMaxAge || Number.POSITIVE_INFINITY,
  keep: fileKeep || Number.POSITIVE_INFINITY,
})
