/** The configuration: its type and how it is loaded. What makes it up is in config/. */
export type { FlagValue, Origin } from './config/layers.ts'
export { type ConfigSources, defaultConfig, type LoadedConfig, loadConfig } from './config/load.ts'
export type { Config } from './config/schema.ts'
