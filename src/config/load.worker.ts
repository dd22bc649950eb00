/** Thread entry: loads the configuration once and posts it, or the error. */
import { parentPort, workerData } from 'node:worker_threads'
import { failureOf, InterceptorError } from '../errors.ts'
import type { LoadResult } from './effective.ts'
import { loadConfig } from './load.ts'

function load(): LoadResult {
  try {
    return { loaded: loadConfig(workerData) }
  } catch (error) {
    if (!(error instanceof InterceptorError)) throw error
    return { failure: failureOf(error) }
  }
}

parentPort?.postMessage(load())
