/**
 * The checks of /livez and /readyz and their text: one line per check, in the format of Kubernetes's own components with
 * `?verbose`. `[!]` is a warning: something is degraded, but neither a restart nor a halted rollout would help. Pure.
 */
import type { InterfaceObservation, ThreadObservation } from '../ledger/observation.ts'
import type { AgentState, StartState, WatchReport } from './state.ts'

export interface HealthCheck {
  readonly name: string
  readonly status: 'ok' | 'degraded' | 'failed'
  /** Why it is not ok; empty if it is. */
  readonly detail: string
}

/** A thread without a heartbeat for this long is stuck. Threads send one every second, also while they wait. */
export const LIVE_SILENCE_MS = 30_000
/** How long after its start the agent is not ready if the API server has not listed the pods. */
export const NAMES_GRACE_MS = 60_000
/** If no scan of discovery has ended for this long, new pods go unnoticed. */
export const SCAN_SILENCE_MS = 30_000

/** Fails when only a restart helps: a thread is stuck. The response itself shows that the main thread runs. */
export function liveness({ observation }: AgentState): HealthCheck[] {
  return [ok('ping'), ...(observation?.threads ?? []).map(threadCheck)]
}

/** Fails while the agent is not capturing yet, or is stopping. An unreachable output does not make it fail. */
export function readiness(state: AgentState): HealthCheck[] {
  return [
    workersCheck(state),
    captureCheck(state),
    discoveryCheck(state),
    ...state.watches.map((watch) => watchCheck(watch, state.uptimeMs)),
    outputCheck(state),
    configurationCheck(state),
    state.draining ? failed('shutdown', 'the agent is stopping') : ok('shutdown'),
  ]
}

/** Whether no check failed. */
export const passes = (checks: readonly HealthCheck[]): boolean => checks.every(({ status }) => status !== 'failed')

/** `[+]ping ok`, `[!]output degraded: …`, `[-]thread/ship-0 failed: …`, and the verdict. */
export function healthText(page: string, checks: readonly HealthCheck[]): string {
  const lines = checks.map(({ name, status, detail }) => {
    const mark = { ok: '+', degraded: '!', failed: '-' }[status]
    return `[${mark}]${name} ${status}${detail === '' ? '' : `: ${detail}`}`
  })
  return `${[...lines, `${page} check ${passes(checks) ? 'passed' : 'failed'}`].join('\n')}\n`
}

const ok = (name: string): HealthCheck => ({ name, status: 'ok', detail: '' })
const degraded = (name: string, detail: string): HealthCheck => ({ name, status: 'degraded', detail })
const failed = (name: string, detail: string): HealthCheck => ({ name, status: 'failed', detail })

const seconds = (ms: number): string => `${Math.floor(ms / 1000)} s`

function threadCheck({ role, slot, silentMs }: ThreadObservation): HealthCheck {
  const name = `thread/${role}-${slot}`
  return silentMs < LIVE_SILENCE_MS ? ok(name) : failed(name, `no heartbeat for ${seconds(silentMs)}`)
}

/** A thread that crashes repeatedly loses what it holds each time. */
function workersCheck({ observation }: AgentState): HealthCheck {
  const looping = (observation?.threads ?? []).filter(({ crashLooping }) => crashLooping)
  if (looping.length === 0) return ok('workers')
  const named = looping.map(({ role, slot, restarts }) => `${role}-${slot} (restarted ${restarts} times)`)
  return failed('workers', `crashing repeatedly: ${named.join(', ')}`)
}

function captureCheck({ observation, start, nothingCaptured }: AgentState): HealthCheck {
  if (observation === null) return failed('capture', 'the pipeline has not started')
  if (!start.done) return failed('capture', startDetail(start))
  if (nothingCaptured !== null) return degraded('capture', `nothing is captured: ${nothingCaptured}`)
  const down = observation.interfaces.filter(({ up }) => !up)
  if (down.length === 0) return ok('capture')
  return degraded('capture', `${down.length} of ${observation.interfaces.length} interfaces are down: ${named(down)}`)
}

const startDetail = ({ opening }: StartState): string =>
  opening === 0 ? 'the pods of this node are not known yet' : `${opening} interfaces are being opened`

const MOST_NAMED = 5

function named(interfaces: readonly InterfaceObservation[]): string {
  const names = interfaces.slice(0, MOST_NAMED).map(({ name, labels: { namespace, pod } }) => {
    return pod === undefined ? name : `${name} of ${namespace ?? ''}/${pod}`
  })
  return `${names.join(', ')}${interfaces.length > MOST_NAMED ? ', …' : ''}`
}

function discoveryCheck({ discovery }: AgentState): HealthCheck {
  if (discovery === null || discovery.scans === discovery.failures) {
    return failed('discovery', 'no scan of the node’s processes has succeeded')
  }
  const { lastScanAgeMs } = discovery
  if (lastScanAgeMs < SCAN_SILENCE_MS) return ok('discovery')
  return degraded('discovery', `no scan of the node’s processes for ${seconds(lastScanAgeMs)}`)
}

function watchCheck({ resource, synced, connected }: WatchReport, uptimeMs: number): HealthCheck {
  const name = `watch/${resource}`
  if (synced)
    return connected ? ok(name) : degraded(name, 'the API server is unreachable; its last state stays in effect')
  const missing = `the API server has not listed ${resource}`
  if (uptimeMs < NAMES_GRACE_MS) return failed(name, `${missing} yet`)
  return degraded(name, `${missing}; pairs have no names`)
}

function outputCheck({ observation }: AgentState): HealthCheck {
  if (observation?.outputReachable !== false) return ok('output')
  const { bytes, limitBytes, oldestMs } = observation.buffer
  return degraded(
    'output',
    `unreachable; ${bytes} of ${limitBytes} bytes are waiting, the oldest for ${seconds(oldestMs)}`,
  )
}

function configurationCheck({ reload }: AgentState): HealthCheck {
  if (!reload.lastSuccessful) return degraded('configuration', 'the last reload was rejected; the reason is in the log')
  if (reload.needRestart.length === 0) return ok('configuration')
  return degraded('configuration', `these keys require a restart: ${reload.needRestart.join(', ')}`)
}
