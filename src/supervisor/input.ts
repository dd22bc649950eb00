/** Opens what a run captures or reads: one source for each capture worker to start. Main thread. */
import type { SourceSpec } from '../messages.ts'
import type { PipelineOptions } from './options.ts'

export interface OpenInput {
  sources: SourceSpec[]
  /** Lets the sources begin, once whoever takes their frames is ready. @throws InterceptorError as opening does */
  begin(): void
  /** Gives descriptors and memory back, once no worker uses them. */
  close(): void
}

/** @throws InterceptorError when it cannot be opened; nothing is left open then */
export async function openInput({ input, config }: PipelineOptions): Promise<OpenInput> {
  if (input.kind === 'files') {
    return { sources: [{ kind: 'file', paths: input.paths, follow: input.follow }], begin: () => {}, close: () => {} }
  }
  // Loaded only here: reading files needs no foreign functions.
  const { beginLiveSource, closeLiveSource, openLiveSources } = await import('../capture/live/live-sources.ts')
  const { brokerExclusions } = await import('../capture/live/broker-exclusions.ts')
  const exclude = config.ship.sink === 'kafka' ? await brokerExclusions(config.kafka.brokers) : []
  const interfaces = input.names.map((name, interfaceId) => ({
    interfaceId,
    info: { name, vantage: 'host' as const, mesh: null, domain: 0, view: null },
    device: name,
    netns: null,
  }))
  const sources = openLiveSources(interfaces, { ...config.capture, exclude })
  return { sources, begin: () => sources.forEach(beginLiveSource), close: () => sources.forEach(closeLiveSource) }
}
