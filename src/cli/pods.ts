/** `interceptor pods`: one pass of discovery over this node, and what the agent would capture of it, as a table or as JSON. */
import { Command, Option } from 'commander'
import type { NodeReport } from '../agent/inspect-node.ts'
import type { PodDecision } from '../discovery/decide/decision.ts'
import type { KnownPod } from '../discovery/kubernetes/known-pod.ts'
import { columns, pad, safe } from '../format/terminal.ts'
import { addExamples, addGeneralOptions, type ConfigFlags, configFlags } from './options.ts'
import { nameOf, podsJson } from './pods-json.ts'
import { outputIsTerminal, wantsColor, writeError, writeOutput } from './terminal.ts'

interface PodsFlags extends ConfigFlags {
  output: 'table' | 'json'
  proc?: string
}

/** The command. It ends with 4 when other processes' namespaces cannot be read. */
export function podsCommand(): Command {
  const command = new Command('pods')
    .description('Show the pods of this node, where the agent would capture each, and why.')
    .addOption(new Option('-o, --output <format>', 'how they are shown').choices(['table', 'json']).default('table'))
    .option('--proc <dir>', 'where the host’s /proc is mounted (default: /proc)')
  addExamples(addGeneralOptions(command, 'also network namespaces that are no pod’s'), [
    ['interceptor pods', 'every pod of this node'],
    ['interceptor pods --proc /host/proc', 'in a container that has the host’s /proc mounted there'],
    ["interceptor pods -o json | jq '.pods[] | select(.mesh)'", 'those in a mesh'],
  ])
  return command.action(async (flags: PodsFlags) => pods(flags))
}

async function pods(flags: PodsFlags): Promise<void> {
  const { loadConfig } = await import('../config/load.ts')
  const proc = flags.proc === undefined ? [] : [{ path: 'targets.procRoot', value: flags.proc, name: '--proc' }]
  const { output, ...shared } = flags
  const { config } = loadConfig({ file: flags.config, flags: [...configFlags(shared), ...proc] })
  const { inspectNode } = await import('../agent/inspect-node.ts')
  const report = await inspectNode(config)
  if (output === 'json') {
    writeOutput(`${JSON.stringify(podsJson(report), null, 2)}\n`)
  } else {
    const color = wantsColor(flags.color, outputIsTerminal())
    writeOutput(podTable(report, color))
    if ((flags.verbose ?? 0) > 0) writeOutput(otherTable(report, color))
  }
  if (!flags.quiet) writeError(notes(report))
}

const POD_HEADINGS = ['POD', 'NAMESPACE', 'CONTAINERS', 'PID', 'NETNS', 'IPS', 'MESH', 'INTERFACE', 'WHY']

/** A line for each pod under a line of headings; empty without pods. A `~` marks what only the environment says. */
function podTable({ decisions, joined }: NodeReport, color: boolean): string {
  return table(POD_HEADINGS, [...decisions.pods.map(podRow), ...joined.unseen.map(unseenRow)], color)
}

function podRow({ pod, known, mesh, ambient, capture, why }: PodDecision): string[] {
  const where = capture === null ? '-' : capture.scope === 'host' ? `${capture.interface} (host)` : capture.interface
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
    where,
    why,
  ]
}

/** A pod that should be here, and of which no process is. */
function unseenRow({ name, namespace, containers, addresses, phase }: KnownPod): string[] {
  const names = list(containers.map((container) => container.name))
  return [name, namespace, names, '-', '-', list(addresses), '-', '-', `${phase}: none of its processes is in sight`]
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

/** What there is to say beside the pods themselves, for standard error. */
function notes({ snapshot, apiProblem }: NodeReport): string {
  const { pods, processes, networkNamespaces, denied, ambient } = snapshot
  const found = pods.length === 0 ? 'no pods found' : counted(pods.length, 'pod')
  const seen = `${counted(processes, 'process', 'processes')} in ${counted(networkNamespaces, 'network namespace')} seen`
  const lines = [`${found}; ${seen}`]
  if (pods.length === 0) {
    lines.push(
      'On a Kubernetes node? In a container the host’s processes are there with hostPID, or with the host’s /proc mounted and named by --proc.',
    )
  }
  if (denied > 0) {
    lines.push(
      `${counted(denied, 'process', 'processes')} more did not show a namespace; pods may be missing, see that SYS_PTRACE is granted`,
    )
  }
  if (apiProblem !== null)
    lines.push(`no names, and no pod for which a rule asks its namespace or labels: ${apiProblem}`)
  if (ambient) {
    lines.push('ztunnel runs here: the traffic of pods in Istio’s ambient mode is encrypted on their own interfaces')
  }
  return `${lines.join('\n')}\n`
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
