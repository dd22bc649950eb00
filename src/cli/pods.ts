/** `interceptor pods`: one pass of discovery over this node's processes, as a table or as JSON. */
import { Command, Option } from 'commander'
import type { Pod, Snapshot } from '../discovery/snapshot.ts'
import { columns, pad, safe } from '../format/terminal.ts'
import { addExamples, addGeneralOptions, type ConfigFlags, configFlags } from './options.ts'
import { outputIsTerminal, wantsColor, writeError, writeOutput } from './terminal.ts'

interface PodsFlags extends ConfigFlags {
  output: 'table' | 'json'
  proc?: string
}

/** The command. It ends with 4 when other processes' namespaces cannot be read. */
export function podsCommand(): Command {
  const command = new Command('pods')
    .description('Show the pods of this node as its processes tell them, where the agent would capture each, and why.')
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
  const { loadConfig } = await import('../config.ts')
  const proc = flags.proc === undefined ? [] : [{ path: 'targets.procRoot', value: flags.proc, name: '--proc' }]
  const { output, ...shared } = flags
  const { config } = loadConfig({ file: flags.config, flags: [...configFlags(shared), ...proc] })
  const { NodeScanner } = await import('../discovery/scanner.ts')
  const snapshot = new NodeScanner(config.targets.procRoot).scan()
  if (output === 'json') {
    writeOutput(`${JSON.stringify(snapshot, null, 2)}\n`)
  } else {
    const color = wantsColor(flags.color, outputIsTerminal())
    writeOutput(podTable(snapshot.pods, color))
    if ((flags.verbose ?? 0) > 0) writeOutput(otherTable(snapshot, color))
  }
  if (!flags.quiet) writeError(notes(snapshot))
}

const POD_HEADINGS = ['POD', 'NAMESPACE', 'CONTAINERS', 'PID', 'NETNS', 'IPS', 'MESH', 'INTERFACE', 'WHY']

/** A line for each pod under a line of headings; empty without pods. A `~` marks what only the environment says. */
function podTable(pods: readonly Pod[], color: boolean): string {
  return table(POD_HEADINGS, pods.map(podRow), color)
}

function podRow(pod: Pod): string[] {
  const { mesh, capture } = pod
  const where = capture === null ? '-' : capture.scope === 'host' ? `${capture.interface} (host)` : capture.interface
  return [
    pod.nameHint === null ? pod.uid : `~${pod.nameHint}`,
    pod.namespaceHint === null ? '-' : `~${pod.namespaceHint}`,
    list(pod.containers.map((container) => container.process)),
    String(pod.pid),
    String(pod.netns),
    list(pod.addresses),
    mesh === null ? '-' : mesh.role === 'sidecar' ? mesh.name : `${mesh.name} ${mesh.role}`,
    where,
    pod.why,
  ]
}

function otherTable({ others }: Snapshot, color: boolean): string {
  const rows = others.map(({ netns, pid, process, containers, why }) => {
    return [String(netns), String(pid), process, list(containers.map((id) => id.slice(0, 12))), why]
  })
  return table(['NETNS', 'PID', 'PROCESS', 'CONTAINERS', 'WHY'], rows, color)
}

const list = (items: readonly string[]): string => (items.length === 0 ? '-' : items.join(','))

function table(headings: readonly string[], rows: readonly string[][], color: boolean): string {
  if (rows.length === 0) return ''
  const cells = rows.map((row) => row.map(safe))
  const widths = headings.map((heading, index) => Math.max(heading.length, ...cells.map((row) => columns(row[index]!))))
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => pad(cell, widths[index]!))
      .join('   ')
      .trimEnd()
  const first = color ? `\x1b[1m${line(headings)}\x1b[0m` : line(headings)
  return `${[first, ...cells.map(line)].join('\n')}\n`
}

/** What there is to say beside the pods themselves, for standard error. */
function notes({ pods, processes, networkNamespaces, denied, ambient }: Snapshot): string {
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
  if (ambient) {
    lines.push('ztunnel runs here: the traffic of pods in Istio’s ambient mode is encrypted on their own interfaces')
  }
  return `${lines.join('\n')}\n`
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
