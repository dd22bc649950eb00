/** `interceptor pods`: scans this node once and prints what the agent would capture. */
import { Command, Option } from 'commander'
import type { NodeReport } from '../agent/inspect-node.ts'
import type { PodDecision } from '../discovery/decide/decision.ts'
import type { KnownPod } from '../discovery/kubernetes/known-pod.ts'
import { usageError } from '../errors.ts'
import { columns, pad, safe } from '../format/terminal.ts'
import { hasCapability } from '../sys/capabilities.ts'
import { addExamples, addGeneralOptions, type ConfigFlags, configFlags } from './options.ts'
import { nameOf, podsJson } from './pods-json.ts'
import { outputIsTerminal, wantsColor, writeError, writeOutput } from './terminal.ts'

interface PodsFlags extends ConfigFlags {
  output: 'table' | 'json'
  proc?: string
  traffic?: boolean
  agent?: string
}

/** Creates the command. It ends with EXIT_PRIVILEGE if the namespaces of other processes cannot be read. */
export function podsCommand(): Command {
  const command = new Command('pods')
    .description('List the pods of this node, where the agent would capture each, and why.')
    .addOption(new Option('-o, --output <format>', 'output format').choices(['table', 'json']).default('table'))
    .option('--proc <dir>', 'where the host’s /proc is mounted (default: /proc)')
    .option('--traffic', 'ask the running agent what it has seen of each pod, and why a pod shows nothing')
    .option('--agent <url>', 'with --traffic: where the agent serves its metrics (default: admin.address)')
  addExamples(addGeneralOptions(command, 'also list network namespaces that belong to no pod'), [
    ['interceptor pods', 'list every pod of this node'],
    ['interceptor pods --proc /host/proc', 'list them in a container where the host’s /proc is mounted'],
    ['interceptor pods --traffic', 'list what the agent of this node has seen of each pod'],
    ["interceptor pods -o json | jq '.pods[] | select(.mesh)'", 'select the pods in a mesh'],
  ])
  return command.action(async (flags: PodsFlags) => pods(flags))
}

async function pods(flags: PodsFlags): Promise<void> {
  const { effectiveConfig } = await import('../config/effective.ts')
  const proc = flags.proc === undefined ? [] : [{ path: 'targets.procRoot', value: flags.proc, name: '--proc' }]
  const { output, traffic, agent, ...shared } = flags
  if (agent !== undefined && traffic !== true) throw usageError('--agent needs --traffic')
  const { config } = await effectiveConfig({ file: flags.config, flags: [...configFlags(shared), ...proc] })
  const color = wantsColor(flags.color, outputIsTerminal())
  if (traffic === true) {
    const { fetchPods } = await import('./agent-admin.ts')
    const { TRAFFIC_HEADINGS, trafficRow } = await import('./pods-traffic.ts')
    const page = await fetchPods(agent, config)
    if (output === 'json') writeOutput(`${JSON.stringify(page, null, 2)}\n`)
    else writeOutput(table(TRAFFIC_HEADINGS, page.pods.map(trafficRow), color))
    return
  }
  const { inspectNode } = await import('../agent/inspect-node.ts')
  const report = await inspectNode(config)
  if (output === 'json') {
    writeOutput(`${JSON.stringify(podsJson(report), null, 2)}\n`)
  } else {
    writeOutput(podTable(report, color))
    if ((flags.verbose ?? 0) > 0) writeOutput(otherTable(report, color))
  }
  if (!flags.quiet) writeError(notes(report))
}

const POD_HEADINGS = ['POD', 'NAMESPACE', 'CONTAINERS', 'PID', 'NETNS', 'IPS', 'MESH', 'INTERFACE', 'WHY']

/** One line per pod below a heading; empty without pods. `~` marks names that come from a process's environment. */
function podTable({ decisions, joined }: NodeReport, color: boolean): string {
  return table(POD_HEADINGS, [...decisions.pods.map(podRow), ...joined.unseen.map(unseenRow)], color)
}

function podRow({ pod, known, mesh, ambient, captures, why }: PodDecision): string[] {
  const where = captures.map((point) => (point.scope === 'host' ? `${point.interface} (host)` : point.interface))
  return [
    known?.name ?? (pod.nameHint === null ? pod.uid : `~${pod.nameHint}`),
    known?.namespace ?? (pod.namespaceHint === null ? '-' : `~${pod.namespaceHint}`),
    list(pod.containers.map((container) => nameOf(container.id, known) ?? container.process)),
    String(pod.pid),
    String(pod.netns),
    list(pod.addresses),
    mesh === null
      ? ambient
        ? 'istio ambient'
        : '-'
      : mesh.role === 'sidecar'
        ? mesh.name
        : `${mesh.name} ${mesh.role}`,
    list(where),
    why,
  ]
}

/** The row of a pod that the API server assigns to this node and of which no process was found. */
function unseenRow({ name, namespace, containers, addresses, phase }: KnownPod): string[] {
  const names = list(containers.map((container) => container.name))
  return [name, namespace, names, '-', '-', list(addresses), '-', '-', `${phase}: no process found`]
}

function otherTable({ snapshot: { others } }: NodeReport, color: boolean): string {
  const rows = others.map(({ netns, pid, process, containers, why }) => {
    return [String(netns), String(pid), process, list(containers.map((id) => id.slice(0, 12))), why]
  })
  return table(['NETNS', 'PID', 'PROCESS', 'CONTAINERS', 'WHY'], rows, color)
}

const list = (items: readonly string[]): string => (items.length === 0 ? '-' : items.join(','))

function table(headings: readonly string[], rows: readonly string[][], color: boolean): string {
  if (rows.length === 0) return ''
  const cells = rows.map((row) => row.map(safe))
  const widths = headings.map((heading, index) => Math.max(heading.length, ...cells.map((row) => columns(row[index]))))
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => pad(cell, widths[index]))
      .join('   ')
      .trimEnd()
  const first = color ? `\x1b[1m${line(headings)}\x1b[0m` : line(headings)
  return `${[first, ...cells.map(line)].join('\n')}\n`
}

/** A summary and warnings for standard error. */
function notes({ snapshot, apiProblem }: NodeReport): string {
  const { pods, processes, networkNamespaces, denied, ambient } = snapshot
  const found = pods.length === 0 ? 'no pods found' : counted(pods.length, 'pod')
  const seen = `${counted(processes, 'process', 'processes')} in ${counted(networkNamespaces, 'network namespace')} seen`
  const lines = [`${found}; ${seen}`]
  if (pods.length === 0) {
    lines.push(
      'On a Kubernetes node, a container needs hostPID to see the host’s processes, or the host’s /proc mounted and named with --proc.',
    )
  }
  if (denied > 0) {
    const which = `the network namespace of ${counted(denied, 'process', 'processes')} could not be read`
    const why = hasCapability('CAP_SYS_PTRACE')
      ? 'SYS_PTRACE is granted, so AppArmor denies it, or they have privileges that this program lacks'
      : 'grant SYS_PTRACE'
    lines.push(`${which}; pods may be missing: ${why}`)
  }
  if (apiProblem !== null)
    lines.push(`pods have no names, and rules about namespaces or labels match none: ${apiProblem}`)
  if (ambient) {
    lines.push('ztunnel runs here: traffic of pods in Istio’s ambient mode is encrypted on their interfaces')
  }
  return `${lines.join('\n')}\n`
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
