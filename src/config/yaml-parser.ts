/** Loads the YAML parser where text is parsed: most commands parse none, and it takes as long as half the start of Node.js. */
import { createRequire } from 'node:module'

type Yaml = typeof import('yaml')

export const yamlParser = (): Yaml => createRequire(import.meta.url)('yaml')
