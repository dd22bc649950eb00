/** Opens a run's input before any worker is started, so that what cannot be opened is reported at once. Main thread. */
import type { OpenInput } from './open-input.ts'
import type { PipelineOptions } from './options.ts'

/** @throws InterceptorError when it cannot be opened; nothing is left open then */
export async function openInput({ input, config }: PipelineOptions): Promise<OpenInput> {
  if (input.kind === 'files') {
    const { paths, follow } = input
    const source = { kind: 'file' as const, paths, follow, filter: config.capture.filter }
    return { kind: 'whole', source, interfaces: [] }
  }
  // Loaded only here, because reading files needs no foreign functions.
  const { openLive } = await import('./live-input.ts')
  return openLive(input, config)
}
