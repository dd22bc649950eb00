/** Discovery, watches of the API server and the configuration, as metrics. */
import { type Metric, single, truth } from './exposition.ts'
import type { AgentState, DiscoveryState, WatchState } from './state.ts'

/** What these metrics are read off. */
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
  value: (watch: WatchState) => number | null,
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
    help: 'Pods found on the node, by mesh and by what was decided of them',
    labels: ['mesh', 'captured', 'reason'],
    read: ({ discovery }) =>
      (discovery?.pods ?? []).map(({ mesh, captured, reason, pods }) => ({
        labels: [mesh, String(captured), reason],
        value: pods,
      })),
  },
  ofDiscovery('counter', 'scans_total', 'Passes over the processes of the node', ({ scans }) => scans),
  ofDiscovery('counter', 'scan_failures_total', 'Passes that could not be finished', ({ failures }) => failures),
  ofDiscovery('counter', 'scan_seconds_total', 'Time that passes took', ({ scanSeconds }) => scanSeconds),
  ofDiscovery('counter', 'scan_cpu_seconds_total', 'CPU time that passes took', ({ scanCpuSeconds }) => scanCpuSeconds),
  ofDiscovery('gauge', 'last_scan_seconds', 'Time the last pass took', ({ lastScanSeconds }) => lastScanSeconds),
  ofDiscovery(
    'gauge',
    'last_scan_age_seconds',
    'Time since the last pass ended',
    ({ lastScanAgeMs }) => lastScanAgeMs / MS,
  ),
  ofDiscovery('gauge', 'processes', 'Processes read in the last pass', ({ processes }) => processes),
  ofDiscovery(
    'gauge',
    'processes_denied',
    'Processes that did not show their namespaces in the last pass',
    ({ processesDenied }) => processesDenied,
  ),
]

export const WATCH_METRICS: readonly Metric<NodeState>[] = [
  ofWatch('gauge', 'synced', 'Whether the objects have been listed once', ({ synced }) => truth(synced)),
  ofWatch('gauge', 'connected', 'Whether a watch is open now', ({ connected }) => truth(connected)),
  ofWatch('counter', 'restarts_total', 'Times the watch was opened anew', ({ restarts }) => restarts),
  ofWatch('gauge', 'last_event_age_seconds', 'Time since the API server last sent something', ({ lastEventMs }) =>
    lastEventMs === null ? null : lastEventMs / MS,
  ),
  ofWatch('gauge', 'objects', 'Objects known from the API server', ({ objects }) => objects),
]

export const CONFIG_METRICS: readonly Metric<NodeState>[] = [
  {
    name: 'interceptor_config_reloads_total',
    type: 'counter',
    help: 'Times the configuration was read again, by what came of it',
    labels: ['result'],
    read: ({ reload }) =>
      (['applied', 'unchanged', 'refused'] as const).map((result) => ({ labels: [result], value: reload[result] })),
  },
  single(
    'gauge',
    'interceptor_config_last_reload_successful',
    'Whether the configuration could be read and applied the last time',
    ({ reload }) => truth(reload.lastSuccessful),
  ),
  single(
    'gauge',
    'interceptor_config_restart_needed',
    'Whether the configuration holds changes that take effect only with a restart',
    ({ reload }) => truth(reload.needRestart.length > 0),
  ),
]
