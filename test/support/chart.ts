/** Renders the Helm chart for tests, and finds its objects. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { CHART } from '../../deploy/generated.ts'
import { runTool, type ToolResult, toolOutput } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'

/** A Kubernetes object, as far as tests read it. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  data?: Record<string, string>
  spec?: Record<string, unknown>
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[]
  [key: string]: unknown
}

export interface Container {
  image: string
  args: string[]
  env: { name: string; value?: string; valueFrom?: unknown }[]
  securityContext: Record<string, unknown>
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
  startupProbe?: { httpGet: Record<string, unknown> }
  livenessProbe?: { httpGet: Record<string, unknown> }
  readinessProbe?: { httpGet: Record<string, unknown> }
  [key: string]: unknown
}

export interface PodSpec {
  containers: [Container]
  volumes: ({ name: string } & Record<string, unknown>)[]
  [key: string]: unknown
}

/** The chart's sets of values: `ci/NAME-values.yaml`. */
export const VALUE_SETS = readdirSync(join(ROOT, CHART, 'ci')).map((name) => name.replace('-values.yaml', ''))

const RELEASE = ['interceptor', CHART, '--namespace', 'watch']

/** Flags that select one of the chart's sets of values. */
export const valueSet = (name: string): string[] => ['--values', `${CHART}/ci/${name}-values.yaml`]

/** Runs `helm template`. */
export const template = (...flags: string[]): ToolResult => runTool('helm', ['template', ...RELEASE, ...flags])

/** The objects that `helm template` prints. @throws with helm's message when it fails */
export function render(...flags: string[]): KubeObject[] {
  return objectsOf(toolOutput('helm', ['template', ...RELEASE, ...flags]))
}

/** Parses a text of YAML documents. */
export function objectsOf(text: string): KubeObject[] {
  const objects = parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS() as KubeObject | null
  })
  return objects.filter((object) => object !== null)
}

/** The only object of a kind. @throws when there is none, or more than one */
export function only(objects: readonly KubeObject[], kind: string): KubeObject {
  const found = objects.filter(
    (object) => object.kind === kind && object.metadata.annotations?.['helm.sh/hook'] !== 'test',
  )
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}`)
  return found[0]
}

/** The pod template of the main DaemonSet, which precedes those of pools. */
export function agentPod(objects: readonly KubeObject[]): { spec: PodSpec; metadata: KubeObject['metadata'] } {
  const [main] = objects.filter(({ kind }) => kind === 'DaemonSet')
  if (main === undefined) throw new Error('no DaemonSet')
  return (main.spec as { template: { spec: PodSpec; metadata: KubeObject['metadata'] } }).template
}

/** The text of the configuration file. */
const configText = (objects: readonly KubeObject[]): string =>
  objects.find(({ data = {} }) => 'config.yaml' in data)?.data?.['config.yaml'] ?? ''

/** The configuration as loaded by the agent from the ConfigMap's file and the pod's environment. */
export function agentConfig(objects: readonly KubeObject[]): Config {
  const folder = mkdtempSync(join(tmpdir(), 'chart-'))
  try {
    const file = join(folder, 'config.yaml')
    writeFileSync(file, configText(objects))
    const given = agentPod(objects).spec.containers[0].env
    const env = Object.fromEntries(
      given.map(({ name, value = 'given' }) => [name, value.replace('$(HOST_IP)', '192.0.2.7')]),
    )
    return loadConfig({ file, env }).config
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The configuration file, parsed. */
export const configFile = (objects: readonly KubeObject[]): unknown => parse(configText(objects))
