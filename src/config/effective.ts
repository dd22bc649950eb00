/**
 * Loads the effective configuration of a command in the cheapest way that serves it. Loading the schema library costs half as
 * much time as starting Node.js, and 10 MB: a command without any setting uses the generated defaults, and a
 * long-running one loads the library in a thread that ends afterwards.
 */
import { Worker } from 'node:worker_threads'
import { errorOf, type Failure } from '../errors.ts'
import { CONFIG_PATHS, DEFAULTS } from './defaults.ts'
import { CONFIG_FILE_VARIABLE, configFilePath } from './file-path.ts'
import type { Origin } from './layers.ts'
import type { ConfigSources, LoadedConfig } from './load.ts'
import { setNodeName } from './node-name.ts'

/** The thread's result. */
export type LoadResult = { loaded: LoadedConfig } | { failure: Failure }

/**
 * As `loadConfig` (load.ts), with the environment of this process.
 *
 * @param apart whether the schema library is loaded in another thread, which frees its memory afterwards
 */
export async function effectiveConfig(
  sources: Omit<ConfigSources, 'env'>,
  { apart = false } = {},
): Promise<LoadedConfig> {
  if (!hasSettings(sources)) return defaults()
  return apart ? loadApart(sources) : (await import('./load.ts')).loadConfig(sources)
}

function hasSettings({ file, flags = [] }: ConfigSources): boolean {
  if (configFilePath(file) !== undefined || flags.length > 0) return true
  return Object.keys(process.env).some((name) => name.startsWith('INTERCEPTOR_') && name !== CONFIG_FILE_VARIABLE)
}

function defaults(): LoadedConfig {
  const config = structuredClone(DEFAULTS)
  const origins = new Map<string, Origin>(CONFIG_PATHS.map((path) => [path, { kind: 'default', name: 'default' }]))
  setNodeName(config, origins, process.env)
  return { config, origins }
}

async function loadApart(sources: Omit<ConfigSources, 'env'>): Promise<LoadedConfig> {
  const worker = new Worker(new URL('./load.worker.js', import.meta.url), { workerData: sources })
  const result = await new Promise<LoadResult>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  await worker.terminate()
  if ('loaded' in result) return result.loaded
  throw errorOf(result.failure)
}
