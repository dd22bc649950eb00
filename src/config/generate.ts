/** Generates the reference page and the JSON Schema: `node dist/src/config/generate.js` after a build. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { configJsonSchema, configReference } from './reference.ts'

const root = new URL('../../../', import.meta.url)

for (const folder of ['docs', 'schema']) mkdirSync(new URL(folder, root), { recursive: true })
writeFileSync(new URL('docs/configuration.md', root), configReference())
writeFileSync(new URL('schema/config.schema.json', root), configJsonSchema())
