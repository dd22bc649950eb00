/**
 * Loads the YAML parser where text is parsed: most commands parse none, and loading it costs half as much as starting
 * Node.js.
 */
import { createRequire } from 'node:module'

type Yaml = typeof import('yaml')

/** The package, loaded synchronously at the first call. */
export const yamlParser = (): Yaml => createRequire(import.meta.url)('yaml')
