/** Generates the JSON Schema and the reference page from the configuration's schema. */
import { stringify } from 'yaml'
import { z } from 'zod'
import { type ConfigKey, type ConfigSection, configKeys, configSections } from './keys.ts'
import { configSchema } from './schema.ts'
import { CORES_FORMS, DURATION_FORMS, SIZE_FORMS } from './units.ts'

/** JSON Schema (2020-12) of the configuration file, as text. */
export function configJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(configSchema, { io: 'input' }), null, 2)}\n`
}

/** docs/configuration.md. */
export function configReference(): string {
  const parts = [HEAD]
  for (const section of configSections) {
    const keys = configKeys.filter(({ path }) => path.slice(0, path.lastIndexOf('.')) === section.path)
    parts.push(sectionText(section, keys))
  }
  return parts.join('\n')
}

const HEAD = `# Configuration

<!-- Generated from src/config/schema.ts by \`npm run generate\`. -->

A key can be set in four places. The first of these that sets it wins:

1. the command line: an option of its own (\`--brokers\`), or \`--set ship.maxAge=10m\`;
2. the environment: \`INTERCEPTOR_SHIP_MAX_AGE=10m\`; commas separate the items of a list;
3. a YAML file that \`--config\` or \`INTERCEPTOR_CONFIG\` names;
4. the default below.

\`interceptor config print\` prints the effective values and their origins; \`interceptor config schema\` prints the JSON
Schema of the file, for editors. An unknown key is an error that names the nearest known one. The configuration never
contains passwords: it names the files that contain them.

The agent reloads the configuration on SIGHUP and when its file changes. \`filter.*\`, \`targets.*\` except
\`targets.procRoot\`, and \`log.level\` take effect at once, all other keys after a restart
([metrics.md](metrics.md#configuration)).

- A **duration** is ${DURATION_FORMS}.
- A **size** is ${SIZE_FORMS}.
- **cores** is ${CORES_FORMS}.
`

function sectionText({ path, description }: ConfigSection, keys: readonly ConfigKey[]): string {
  const heading = `${'#'.repeat(path.split('.').length + 1)} ${path}\n\n${description}\n`
  if (keys.length === 0) return heading
  const rows = keys.map((key) => `| \`${key.path}\` | ${valuesOf(key)} | ${defaultOf(key)} | ${key.description} |`)
  return [heading, '| key | values | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n')
}

interface Described {
  properties?: Record<string, Described>
  enum?: string[]
  examples?: string[]
}

function valuesOf({ path, kind, description }: ConfigKey): string {
  const root = z.toJSONSchema(configSchema, { io: 'input' }) as Described
  const leaf = path.split('.').reduce<Described | undefined>((at, name) => at?.properties?.[name], root)
  const values = leaf?.enum ?? leaf?.examples
  if (values !== undefined) return values.map((value) => (value === '' ? 'empty' : `\`${value}\``)).join(', ')
  if (kind === 'boolean') return description.includes('auto:') ? '`auto`, `true`, `false`' : '`true`, `false`'
  return kind === 'integer' && description.includes('auto:') ? '`auto`, integer' : kind
}

const defaultOf = ({ fallback }: ConfigKey): string => {
  const text = stringify(fallback, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim()
  return `\`${text}\``
}
