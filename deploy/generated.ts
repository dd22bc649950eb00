/**
 * Generated files of deploy/: the program's configuration in the chart's values.schema.json, the chart's README, the plain
 * manifests, and what kustomize reads. Each function returns paths relative to the checkout's root, with the text.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { toolOutput } from '../rig/kube-tools.ts'
import { ROOT } from '../rig/root.ts'
import { chartReadme } from './chart-readme.ts'

export type GeneratedFile = readonly [path: string, text: string]

export const CHART = 'deploy/helm/interceptor'
const VALUES_SCHEMA = `${CHART}/values.schema.json`
const NAMESPACE = 'interceptor'
const HOST_IP = String.raw`^(\$\(HOST_IP\)|\[\$\(HOST_IP\)\]):\d{1,5}$`

/** A Kubernetes object, as far as this module reads it. */
interface Manifest {
  kind: string
  metadata: { name: string; annotations?: Record<string, string> }
  [key: string]: unknown
}

type JsonSchema = { [key: string]: unknown }

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/**
 * The chart's schema with `config` as in the program's schema; the rest of the file is written by hand and kept. Helm's regular
 * expressions are RE2, which has no lookaround: the program alone checks such patterns.
 */
export function valuesSchema(): GeneratedFile[] {
  const schema = JSON.parse(read(VALUES_SCHEMA)) as { properties: Record<string, JsonSchema> }
  const isRe2 = (pattern: string): boolean => !/\(\?<?[=!]/.test(pattern)
  const forHelm = (key: string, value: unknown): unknown =>
    key === 'pattern' && typeof value === 'string' && !isRe2(value) ? undefined : value
  const { $schema: _, ...config } = JSON.parse(read('schema/config.schema.json'), forHelm) as JsonSchema
  schema.properties['config'] = withHostIp(config)
  return [[VALUES_SCHEMA, `${JSON.stringify(schema, null, 2)}\n`]]
}

/** The chart also accepts `$(HOST_IP)` as an address, which the kubelet replaces by the node's. */
function withHostIp(config: JsonSchema): JsonSchema {
  const forChart = (key: string, value: unknown): unknown =>
    key === 'address' ? { ...(value as JsonSchema), pattern: `${HOST_IP}|${(value as JsonSchema)['pattern']}` } : value
  return JSON.parse(JSON.stringify(config), forChart) as JsonSchema
}

const NAMESPACE_MANIFEST = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: NAMESPACE,
    labels: Object.fromEntries(
      ['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'privileged']),
    ),
  },
}

/** Renders the chart's objects. @throws with helm's message when it fails */
function render(...sets: string[]): Manifest[] {
  const settings = ['image.repository=interceptor', 'config.kafka.brokers={kafka:9092}', ...sets].flatMap((set) => [
    '--set',
    set,
  ])
  const text = toolOutput('helm', ['template', 'interceptor', CHART, '-n', NAMESPACE, '--no-hooks', ...settings])
  const objects = parseAllDocuments(text).map((document) => document.toJS() as Manifest | null)
  return objects.filter((object) => object !== null)
}

const asYaml = (objects: readonly object[]): string =>
  objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n')

/** The chart's README. */
export function chartReadmeFile(): GeneratedFile[] {
  return [[`${CHART}/README.md`, chartReadme(read(`${CHART}/Chart.yaml`), read(`${CHART}/values.yaml`))]]
}

/** One file for `kubectl apply`, for installations without Helm. */
export function plainManifests(): GeneratedFile[] {
  const head = `# Rendered from ${CHART} by \`npm run generate\`.
# Before applying it, set your image (DaemonSet) and kafka.brokers (ConfigMap). The pods restart when checksum/config changes:
# change it together with the configuration, or run \`kubectl rollout restart\`.
`
  return [['deploy/manifests/interceptor.yaml', head + asYaml([NAMESPACE_MANIFEST, ...render()].map(withoutHelm))]]
}

/**
 * The same for kustomize, which generates the ConfigMap: its name changes with its content, so that pods restart. The constraints of
 * OpenShift are in its overlay.
 */
export function kustomizeFiles(): GeneratedFile[] {
  const head = `# Rendered from ${CHART} by \`npm run generate\`.\n`
  const constraints = render('openshift.securityContextConstraints=true').filter(
    ({ kind }) => kind === 'SecurityContextConstraints',
  )
  const objects = render().map(withoutHelm)
  const config = objects.find(({ kind }) => kind === 'ConfigMap') as Manifest & { data: Record<string, string> }
  const resources = [NAMESPACE_MANIFEST, ...objects.filter((object) => object !== config).map(withoutChecksum)]
  return [
    ['deploy/kustomize/base/interceptor.yaml', head + asYaml(resources)],
    ['deploy/kustomize/base/config.yaml', head + config.data['config.yaml']],
    ['deploy/kustomize/overlays/openshift/scc.yaml', head + asYaml(constraints.map(withoutHelm))],
  ]
}

/** Removes the labels that would claim that Helm manages the object. */
function withoutHelm<T>(value: T): T {
  const helm = (key: string, at: unknown): unknown =>
    key === 'helm.sh/chart' || (key === 'app.kubernetes.io/managed-by' && at === 'Helm') ? undefined : at
  return JSON.parse(JSON.stringify(value, helm)) as T
}

function withoutChecksum(object: Manifest): Manifest {
  const drop = (key: string, at: unknown): unknown => (key === 'checksum/config' ? undefined : at)
  return JSON.parse(JSON.stringify(object, drop)) as Manifest
}
