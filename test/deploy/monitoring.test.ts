/** Alerts and dashboard query only metrics and labels that the agent exports, and each alert fires when it should. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { CHART } from '../../deploy/generated.ts'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { needs } from '../../rig/needs.ts'
import { ROOT } from '../../rig/root.ts'
import { METRIC_GROUPS } from '../../src/admin/metrics.ts'
import { type KubeObject, only, render, valueSet } from '../support/chart.ts'

interface Alert {
  alert: string
  expr: string
  for?: string
  summary: string
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

/** Prometheus's notation, a sample every 30 s: `7x150` is constant, `0+3x150` grows by 3. Series without a label of the agent: `name`. */
type Series = Readonly<Record<string, string>>

interface Firing {
  /** Series with which the alert fires, at a time. */
  fires: Series
  at?: string
  summary: string
  /** Series with which it does not: the nearest harmless ones. */
  quiet: Series
}

const STUCK = 'interceptor_thread_heartbeat_age_seconds{role="ship", slot="0"}'
const POD_INTERFACE = 'interceptor_interface_up{interface="eth0", namespace="shop", pod="api"}'

const FIRINGS: Readonly<Record<string, Firing>> = {
  InterceptorKernelDrops: {
    fires: { interceptor_frames_kernel_dropped_total: '0+1x150', interceptor_frames_seen_total: '0+900x150' },
    summary: 'The kernel drops frames on n1',
    quiet: { interceptor_frames_kernel_dropped_total: '0+1x150', interceptor_frames_seen_total: '0+1100x150' },
  },
  InterceptorShedding: {
    fires: {
      'interceptor_frames_dropped_total{reason="shed"}': '0+1x150',
      interceptor_frames_kernel_shed_total: '0x150',
      'interceptor_kept_connections_ratio{reason="cpu"}': '1x150',
    },
    summary: 'n1 sheds connections',
    quiet: {
      'interceptor_frames_dropped_total{reason="shed"}': '0+1x150',
      interceptor_frames_kernel_shed_total: '0x150',
      'interceptor_kept_connections_ratio{reason="cpu"}': '0.5x150',
    },
  },
  InterceptorPairsLost: {
    fires: { 'interceptor_pairs_dropped_total{reason="maxAge"}': '0+1x150' },
    summary: 'n1 drops pairs (maxAge)',
    quiet: { 'interceptor_pairs_dropped_total{reason="shutdown"}': '0+1x150' },
  },
  InterceptorOutputUnreachable: {
    fires: { interceptor_output_reachable: '0x150' },
    summary: 'Kafka is not reachable from n1',
    quiet: { interceptor_output_reachable: '1x150' },
  },
  InterceptorLag: {
    fires: { interceptor_buffer_oldest_age_seconds: '61x150' },
    summary: 'Pairs on n1 have been buffered for more than a minute',
    quiet: { interceptor_buffer_oldest_age_seconds: '60x150' },
  },
  InterceptorBufferFull: {
    fires: { interceptor_buffer_bytes: '81x150', interceptor_buffer_limit_bytes: '100x150' },
    summary: 'The buffer of n1 is nearly full',
    quiet: { interceptor_buffer_bytes: '80x150', interceptor_buffer_limit_bytes: '100x150' },
  },
  InterceptorThreadRestarts: {
    fires: { 'interceptor_thread_restarts_total{role="ship", slot="0"}': '0+1x150' },
    summary: 'ship threads of n1 keep restarting',
    quiet: { 'interceptor_thread_restarts_total{role="ship", slot="0"}': '0x135 1x15' },
  },
  // The kubelet restarts the agent a minute after the last heartbeat.
  InterceptorThreadStuck: {
    fires: { [STUCK]: '1x100 30 60 stale' },
    at: '51m',
    summary: 'Thread ship 0 of n1 is stuck',
    quiet: { [STUCK]: '2x150' },
  },
  InterceptorInterfaceDown: {
    fires: { [POD_INTERFACE]: '0x150' },
    summary: 'eth0 of shop/api is not captured on n1',
    quiet: { [POD_INTERFACE]: '1x150' },
  },
  InterceptorWatchDisconnected: {
    fires: { 'interceptor_watch_connected{resource="pods"}': '0x150' },
    summary: 'n1 cannot watch pods',
    quiet: { 'interceptor_watch_connected{resource="pods"}': '1x150' },
  },
  InterceptorReloadRejected: {
    fires: { interceptor_config_last_reload_successful: '0x150' },
    summary: 'n1 rejected its new configuration',
    quiet: { interceptor_config_last_reload_successful: '1x150' },
  },
  InterceptorNoFrames: {
    fires: { interceptor_interfaces: '3x150', interceptor_frames_seen_total: '7x150' },
    summary: 'n1 captures no frames',
    quiet: { interceptor_interfaces: '0x150', interceptor_frames_seen_total: '7x150' },
  },
  InterceptorDiscoveryStopped: {
    fires: { interceptor_discovery_last_scan_age_seconds: '61x150' },
    summary: 'Pod discovery has stopped on n1',
    quiet: { interceptor_discovery_last_scan_age_seconds: '60x150' },
  },
  InterceptorProcessesDenied: {
    fires: { interceptor_discovery_processes_denied: '11x150', interceptor_discovery_processes: '100x150' },
    summary: "n1 cannot read the namespaces of more than 10 % of the node's processes",
    quiet: { interceptor_discovery_processes_denied: '10x150', interceptor_discovery_processes: '100x150' },
  },
  InterceptorRestartNeeded: {
    fires: { interceptor_config_restart_needed: '1x150' },
    summary: 'n1 has to be restarted to apply its configuration',
    quiet: { interceptor_config_restart_needed: '0x150' },
  },
}

/** With the labels that Prometheus adds. @throws if the agent exports no such series */
function inputSeries(series: Series): { series: string; values: string }[] {
  return Object.entries(series).map(([key, values]) => {
    const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(key) ?? []
    const given = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label)
    for (const label of given) assert.ok(labelsOf.get(name)?.includes(label), `${name}: ${label}`)
    return { series: `${name}{${[...(labels === '' ? [] : [labels]), 'instance="n1"'].join(', ')}}`, values }
  })
}

/** The alerts that fire, by their summaries. */
function alertsAt(alert: Alert, series: Series, at = '70m'): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'alerts-'))
  try {
    const { alert: name, expr, for: duration, summary } = alert
    const rule = { alert: name, expr, ...(duration === undefined ? {} : { for: duration }), annotations: { summary } }
    const tests = [
      {
        interval: '30s',
        input_series: inputSeries(series),
        alert_rule_test: [{ eval_time: at, alertname: name, exp_alerts: [] }],
      },
    ]
    writeFileSync(join(folder, 'rules.yaml'), stringify({ groups: [{ name: 'alerts', rules: [rule] }] }))
    writeFileSync(
      join(folder, 'tests.yaml'),
      stringify({ rule_files: ['rules.yaml'], evaluation_interval: '30s', tests }),
    )
    const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'tests.yaml'], { cwd: folder, encoding: 'utf8' })
    const output = stdout + stderr
    assert.match(output, /SUCCESS|exp:\[\s*\]/, output)
    return [...output.matchAll(/summary="((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const skipAlerts = needs('promtool')

for (const alert of alerts) {
  test(`monitoring: ${alert.alert} fires, and not in the nearest harmless case`, { skip: skipAlerts }, () => {
    const { fires, at, summary, quiet } = FIRINGS[alert.alert]
    assert.deepEqual(alertsAt(alert, fires, at), [summary])
    assert.deepEqual(alertsAt(alert, quiet, at), [])
  })
}
