/** Loads the YAML parser where text is parsed: most commands parse none, and loading it costs half as much as starting Node.js. */
import { createRequire } from 'node:module'

type Yaml = typeof import('yaml')

export const yamlParser = (): Yaml => createRequire(import.meta.url)('yaml')
