/**
 * Loads the configuration in a thread that ends afterwards, which frees the 10 MB of the schema library. For long-running
 * commands; others load it in place.
 */
import { Worker } from 'node:worker_threads'
import { errorOf, type Failure } from '../errors.ts'
import type { ConfigSources, LoadedConfig } from './load.ts'

/** The thread's result. */
export type LoadAnswer = { loaded: LoadedConfig } | { failure: Failure }

/** As `loadConfig`, with the environment of this process. */
export async function loadConfigApart(sources: Omit<ConfigSources, 'env'>): Promise<LoadedConfig> {
  const worker = new Worker(new URL('./load.worker.js', import.meta.url), { workerData: sources })
  const answer = await new Promise<LoadAnswer>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  await worker.terminate()
  if ('loaded' in answer) return answer.loaded
  throw errorOf(answer.failure)
}
