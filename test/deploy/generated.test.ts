import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import {
  CHART,
  chartReadmeFile,
  type GeneratedFile,
  kustomizeBase,
  plainManifests,
  valuesSchema,
} from '../../deploy/generated.ts'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'

const skip = needsKubeTools()
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

function assertCurrent(files: readonly GeneratedFile[]): void {
  for (const [path, text] of files) assert.equal(read(path), text, `${path} is not current: run npm run generate`)
}

test('generated: values.schema.json contains the program’s configuration', () => assertCurrent(valuesSchema()))

test('generated: the chart’s README has every value', () => assertCurrent(chartReadmeFile()))

test('generated: deploy/manifests is what the chart renders', { skip }, () => assertCurrent(plainManifests()))

test('generated: the kustomize base is what the chart renders', { skip }, () => assertCurrent(kustomizeBase()))

test('chart: its appVersion is the program’s version', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  assert.equal((parse(read(`${CHART}/Chart.yaml`)) as { appVersion: string }).appVersion, version)
})
