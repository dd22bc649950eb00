/** Metrics of discovery, of watches of the API server and of the configuration. */
import { type Metric, single, truth } from './exposition.ts'
import type { AgentState, DiscoveryState, WatchReport } from './state.ts'

/** The state that these metrics are read from. */
export type NodeState = Pick<AgentState, 'discovery' | 'watches' | 'reload'>

const MS = 1000

const ofDiscovery = (
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (state: DiscoveryState) => number,
): Metric<NodeState> =>
  single(type, `interceptor_discovery_${name}`, help, ({ discovery }) => discovery && value(discovery))

/** @param value null: there is no series */
function ofWatch(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (watch: WatchReport) => number | null,
): Metric<NodeState> {
  return {
    name: `interceptor_watch_${name}`,
    type,
    help,
    labels: ['resource'],
    read: ({ watches }) =>
      watches.flatMap((watch) => {
        const now = value(watch)
        return now === null ? [] : [{ labels: [watch.resource], value: now }]
      }),
  }
}

export const DISCOVERY_METRICS: readonly Metric<NodeState>[] = [
  {
    name: 'interceptor_pods',
    type: 'gauge',
    help: 'Pods of the node, by mesh and by the decision about them',
    labels: ['mesh', 'captured', 'reason'],
    read: ({ discovery }) =>
      (discovery?.pods ?? []).map(({ mesh, captured, reason, pods }) => ({
        labels: [mesh, String(captured), reason],
        value: pods,
      })),
  },
  ofDiscovery('counter', 'scans_total', 'Scans of the node’s processes', ({ scans }) => scans),
  ofDiscovery('counter', 'scan_failures_total', 'Scans that failed', ({ failures }) => failures),
  ofDiscovery('counter', 'scan_seconds_total', 'Duration of all scans', ({ scanSeconds }) => scanSeconds),
  ofDiscovery('counter', 'scan_cpu_seconds_total', 'CPU time of all scans', ({ scanCpuSeconds }) => scanCpuSeconds),
  ofDiscovery('gauge', 'last_scan_seconds', 'Duration of the last scan', ({ lastScanSeconds }) => lastScanSeconds),
  ofDiscovery(
    'gauge',
    'last_scan_age_seconds',
    'Time since the end of the last scan',
    ({ lastScanAgeMs }) => lastScanAgeMs / MS,
  ),
  ofDiscovery('gauge', 'processes', 'Processes read in the last scan', ({ processes }) => processes),
  ofDiscovery(
    'gauge',
    'processes_denied',
    'Processes whose namespaces could not be read in the last scan',
    ({ processesDenied }) => processesDenied,
  ),
]

export const WATCH_METRICS: readonly Metric<NodeState>[] = [
  ofWatch('gauge', 'synced', 'Whether the objects have been listed', ({ synced }) => truth(synced)),
  ofWatch('gauge', 'connected', 'Whether the watch is open', ({ connected }) => truth(connected)),
  ofWatch('counter', 'restarts_total', 'Restarts of the watch', ({ restarts }) => restarts),
  ofWatch(
    'gauge',
    'last_event_age_seconds',
    'Time since the last event or bookmark of the API server',
    ({ lastEventMs }) => (lastEventMs === null ? null : lastEventMs / MS),
  ),
  ofWatch('gauge', 'objects', 'Objects received from the API server', ({ objects }) => objects),
]

export const CONFIG_METRICS: readonly Metric<NodeState>[] = [
  {
    name: 'interceptor_config_reloads_total',
    type: 'counter',
    help: 'Reloads of the configuration, by result',
    labels: ['result'],
    read: ({ reload }) =>
      (['applied', 'unchanged', 'refused'] as const).map((result) => ({ labels: [result], value: reload[result] })),
  },
  single(
    'gauge',
    'interceptor_config_last_reload_successful',
    'Whether the last reload of the configuration succeeded',
    ({ reload }) => truth(reload.lastSuccessful),
  ),
  single(
    'gauge',
    'interceptor_config_restart_needed',
    'Whether the configuration contains changes that require a restart',
    ({ reload }) => truth(reload.needRestart.length > 0),
  ),
]
