/**
 * Loads the configuration in a thread that ends afterwards, and takes the schema library's 10 MB with it. For commands
 * that run for long; others load it in place.
 */
import { Worker } from 'node:worker_threads'
import { errorOf, type Failure } from '../errors.ts'
import type { ConfigSources, LoadedConfig } from './load.ts'

/** What the thread answers. */
export type LoadAnswer = { loaded: LoadedConfig } | { failure: Failure }

/** As `loadConfig`, from this process's environment. */
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
