/** Alerts and dashboard query only metrics and labels that the agent exports. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { CHART } from '../../deploy/generated.ts'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { METRIC_GROUPS } from '../../src/admin/metrics.ts'
import { type KubeObject, only, render, valueSet } from '../support/chart.ts'

interface Alert {
  alert: string
  expr: string
  for?: string
}

interface Panel {
  title: string
  type: string
  targets?: { expr: string }[]
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const alerts = parse(read(`${CHART}/files/alerts.yaml`)) as Alert[]
const { panels } = JSON.parse(read(`${CHART}/files/dashboard.json`)) as { panels: Panel[] }
const expressions = [
  ...alerts.map(({ alert, expr }) => ({ where: alert, expr })),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expr }))),
]

const labelsOf = new Map(
  Object.values(METRIC_GROUPS).flatMap((group) => group.map(({ name, labels }) => [name, labels] as const)),
)
/** Labels that Prometheus adds. */
const TARGET_LABELS = ['instance']

for (const { where, expr } of expressions) {
  test(`monitoring: ${where} queries metrics that exist: ${expr}`, () => {
    const names = expr.match(/\b(?:interceptor|process|nodejs)_\w+/g) ?? []
    assert.ok(names.length > 0)
    for (const name of names) assert.ok(labelsOf.has(name), name)
    const labels = new Set(names.flatMap((name) => [...labelsOf.get(name)!, ...TARGET_LABELS]))
    const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list]) => list.split(', '))
    const matched = [...expr.matchAll(/[{,](\w+)(?:=~|!=|=)/g)].map(([, label]) => label)
    for (const label of [...grouped, ...matched]) assert.ok(labels.has(label), label)
  })
}

test('monitoring: the alerts are those that docs/metrics.md lists', () => {
  const table = read('docs/metrics.md').split('## Alerts')[1] ?? ''
  const rows = table.match(/^\|[^|]*\| `.*?` /gm) ?? []
  const documented = rows.map((row) => row.split('`')[1].replaceAll('\\|', '|'))
  assert.deepEqual(alerts.map(({ expr }) => expr).sort(), documented.sort())
})

test('monitoring: the PrometheusRule contains the alerts unchanged', { skip: needsKubeTools() }, () => {
  const rule = only(render(...valueSet('secure')), 'PrometheusRule') as KubeObject & {
    spec: { groups: [{ rules: (Alert & { annotations: Record<string, string> })[] }] }
  }
  const { rules } = rule.spec.groups[0]
  assert.deepEqual(
    rules.map(({ alert, expr }) => ({ alert, expr })),
    alerts.map(({ alert, expr }) => ({ alert, expr })),
  )
  for (const { annotations } of rules) assert.ok(annotations['summary'] && annotations['description'])
})

test('monitoring: the dashboard’s panels do not overlap', () => {
  const grid = panels as (Panel & { gridPos: { x: number; y: number; w: number; h: number } })[]
  const cells = grid.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
  )
  assert.equal(new Set(cells).size, cells.length)
})
