/** The chart's README: a table of all values, from the `# --` comments of values.yaml. */
import { isMap, type Pair, parseDocument, type Scalar, type YAMLMap } from 'yaml'

/** One documented value. */
interface Row {
  /** Dotted path. */
  key: string
  type: string
  /** The default as JSON. */
  value: string
  description: string
}

/** Longer defaults are left to values.yaml. */
const MAX_DEFAULT_CHARS = 100

/** Text of a key's `# --` comment on one line; empty without one. A comment before the first key belongs to its map. */
export function commentOf({ key }: Pair, map: YAMLMap): string {
  const own = (key as Scalar).commentBefore ?? (map.items[0]?.key === key ? map.commentBefore : undefined) ?? ''
  const start = own.split('\n').findIndex((line) => line.startsWith(' -- '))
  if (start < 0) return ''
  return own
    .split('\n')
    .slice(start)
    .map((line) => line.trim())
    .join(' ')
    .replace(/^-- /, '')
}

/** Rows of a map; a key without a comment is replaced by the keys below it. */
function rowsOf(map: YAMLMap, path: string): Row[] {
  return map.items.flatMap((pair) => {
    const key = `${path}${String((pair.key as Scalar).value)}`
    const description = commentOf(pair, map)
    const nested =
      isMap(pair.value) && pair.value.items.length > 0 && !pair.value.flow ? rowsOf(pair.value, `${key}.`) : []
    if (description === '') return nested
    const value = (pair.value as YAMLMap | Scalar).toJSON() as unknown
    return [{ key, type: typeOf(value), value: JSON.stringify(value), description }, ...nested]
  })
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  if (value === null) return 'integer'
  return typeof value === 'object' ? 'object' : typeof value
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

function line({ key, type, value, description }: Row): string {
  const shown = value.length > MAX_DEFAULT_CHARS ? 'see values.yaml' : `\`${value}\``
  return `| \`${key}\` | ${type} | ${cell(shown)} | ${cell(description)} |`
}

/** @param chart text of Chart.yaml @param values text of values.yaml @returns text of README.md */
export function chartReadme(chart: string, values: string): string {
  const { description, home, kubeVersion } = parseDocument(chart).toJS() as Record<string, string>
  const rows = rowsOf(parseDocument(values).contents as YAMLMap, '')
  return `<!-- Generated from Chart.yaml and values.yaml by \`npm run generate\`. -->

# Interceptor

${description}. ${home}

Requires Kubernetes ${kubeVersion.replace('-0', '')} and Linux nodes (amd64, arm64).

\`\`\`sh
helm install interceptor deploy/helm/interceptor --namespace interceptor --create-namespace \\
  --set image.repository=registry.example.com/interceptor --set 'config.kafka.brokers={kafka.kafka:9092}'
\`\`\`

[docs/install.md](../../../docs/install.md) explains installation, privileges and sizes.

## Values

| key | type | default | description |
|---|---|---|---|
${rows.map(line).join('\n')}
`
}
