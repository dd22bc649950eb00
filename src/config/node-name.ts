/** The node's name where the configuration has none. */
import { hostname } from 'node:os'
import type { Origin } from './layers.ts'
import type { Config } from './schema.ts'

/** Sets an empty `node.name` to NODE_NAME, else to the host name, and records the origin. */
export function setNodeName(config: Config, origins: Map<string, Origin>, env: NodeJS.ProcessEnv): void {
  if (config.node.name !== '') return
  const given = env['NODE_NAME'] ?? ''
  config.node.name = given === '' ? hostname() : given
  origins.set(
    'node.name',
    given === '' ? { kind: 'default', name: 'host name' } : { kind: 'environment', name: 'NODE_NAME' },
  )
}
