/**
 * Live capture as the supervisor sees it: what to capture goes in, one source per capture worker comes out, opened, to
 * begin when its worker does. Main thread.
 */
import type { InterfaceInfo } from '../../interfaces.ts'
import type { AfPacketSource, CapSource } from '../../messages.ts'
import { beginAfPacket, closeAfPacket, openAfPacket } from './af-packet-open.ts'
import type { Exclusion } from './bpf.ts'
import { capFilter } from './cap-filter.ts'
import { chooseSource, type LiveSource } from './choose-source.ts'

/** libpcap takes a whole snap length of its buffer for every frame, so for the same traffic it needs more of it. */
const CAP_BUFFER_SHARE = 4
/** libpcap takes an int. */
const MAX_CAP_BUFFER = 2 ** 31 - 1

/** One interface to capture. */
export interface LiveInterface {
  /** Unique among all that are captured. */
  readonly interfaceId: number
  readonly info: InterfaceInfo
  /** Interface name within its network namespace, or `any`. */
  readonly device: string
  /** Path of its network namespace; null: our own. AF_PACKET only. */
  readonly netns: string | null
}

/** How to capture, the same for all interfaces. Names as in the configuration's section `capture`. */
export interface LiveOptions {
  readonly source: 'auto' | LiveSource
  /** BPF expression, ANDed to the built-in filter; empty: none. */
  readonly filter: string
  readonly exclude: readonly Exclusion[]
  readonly snapLength: number
  readonly ringBytes: number
  readonly promiscuous: boolean
  /** Above it, workers take several interfaces each. */
  readonly maxWorkers: number
}

/**
 * Opens live capture. Frames come from `beginLiveSource` on.
 *
 * @returns one source per capture worker to start; `closeLiveSource` each after its worker has ended
 * @throws InterceptorError (privilege, usage or runtime) with nothing left open
 */
export function openLiveSources(
  interfaces: readonly LiveInterface[],
  options: LiveOptions,
): (AfPacketSource | CapSource)[] {
  if (chooseSource(options.source) === 'cap') return [openCap(interfaces, options)]
  const sources: AfPacketSource[] = []
  try {
    interfaces.forEach((wanted, position) => {
      const worker = position % options.maxWorkers
      sources[worker] ??= { kind: 'af-packet', sockets: [] }
      sources[worker].sockets.push(openAfPacket({ ...options, ...wanted }))
    })
    return sources
  } catch (error) {
    sources.forEach(closeLiveSource)
    throw error
  }
}

/** Lets frames gather for a worker that is about to be started. A source through cap begins with its worker. */
export function beginLiveSource(source: AfPacketSource | CapSource): void {
  if (source.kind === 'af-packet') source.sockets.forEach(beginAfPacket)
}

/** Gives a source's descriptors and memory back. Its worker must have ended: reading on would end the process. */
export function closeLiveSource(source: AfPacketSource | CapSource): void {
  if (source.kind === 'af-packet') source.sockets.forEach(closeAfPacket)
}

function openCap(interfaces: readonly LiveInterface[], options: LiveOptions): CapSource {
  return {
    kind: 'cap',
    interfaces: interfaces.map(({ interfaceId, info, device }) => ({ interfaceId, info, device })),
    filter: capFilter(options.filter, options.exclude),
    snapLength: options.snapLength,
    bufferBytes: Math.min(options.ringBytes * CAP_BUFFER_SHARE, MAX_CAP_BUFFER),
  }
}
