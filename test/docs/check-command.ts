/**
 * Commands of the documents that are not run (a cluster, root or an interface is missing) are checked by the program
 * that they start: Interceptor's own parser and configuration, helm, kubectl, npm's scripts, files of the checkout.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { CHART } from '../../deploy/generated.ts'
import { runTool } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { simpleCommands } from '../../scripts/documents/shell.ts'
import { agentCommand } from '../../src/cli/agent.ts'
import { captureCommand } from '../../src/cli/capture.ts'
import { completionCommand } from '../../src/cli/completion.ts'
import { configCommand } from '../../src/cli/config.ts'
import { doctorCommand } from '../../src/cli/doctor.ts'
import { manCommand } from '../../src/cli/man.ts'
import { openapiCommand } from '../../src/cli/openapi.ts'
import { type ConfigFlags, configFlags } from '../../src/cli/options.ts'
import { podsCommand } from '../../src/cli/pods.ts'
import { readCommand } from '../../src/cli/read.ts'
import { tailCommand } from '../../src/cli/tail.ts'
import { topCommand } from '../../src/cli/top.ts'
import { uiCommand } from '../../src/cli/ui.ts'
import { versionCommand } from '../../src/cli/version.ts'
import { loadConfig } from '../../src/config/load.ts'

/** Programs that documents may use and whose arguments nothing here checks. */
const OTHERS = [
  'cosign',
  'curl',
  'editcap',
  'git',
  'ip',
  'jq',
  'kcat',
  'kafka-topics',
  'kill',
  'man',
  'ps',
  'python3',
  'setcap',
  'source',
  'ssh',
  'tcpdump',
  'tshark',
  'tcpreplay',
]

/** A program's check. @returns what is wrong, null when nothing is */
type Check = (args: readonly string[]) => string | null

const CHECKS: Readonly<Record<string, Check>> = {
  interceptor: checkInterceptor,
  npx: (args) => checkWords(args.filter((word) => word !== '--no-install')),
  sudo: (args) => checkWords(args),
  helm: checkHelm,
  kubectl: checkKubectl,
  npm: checkNpm,
  node: (args) => checkFile(args[0]),
  docker: checkDocker,
}

/** Checks every program that a line of a shell starts. @returns what is wrong with each */
export const checkLine = (line: string): string[] =>
  simpleCommands(line)
    .map((words) => checkWords(words))
    .filter((problem) => problem !== null)

function checkWords([program, ...args]: readonly string[]): string | null {
  if (program in CHECKS) return CHECKS[program](args)
  if (OTHERS.includes(program)) return null
  if (program.includes('/')) return checkFile(program)
  return `nothing here knows the program ${program}: add it to check-command.ts`
}

/** Words in capitals are placeholders. */
const isPlaceholder = (word: string): boolean => /^[A-Z][A-Z_-]+(?:[/:.].*)?$/.test(word)

function checkFile(path: string): string | null {
  return existsSync(join(ROOT, path)) || path.startsWith('/') || isPlaceholder(path) ? null : `there is no ${path}`
}

/** The program with all of its commands, which check their options instead of running. */
function createProgram(): Command {
  const program = new Command('interceptor')
    .version('0')
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
  const none = (): void => {}
  for (const make of [
    readCommand,
    captureCommand,
    agentCommand,
    tailCommand,
    topCommand,
    uiCommand,
    openapiCommand,
    doctorCommand,
  ])
    program.addCommand(make(none))
  for (const make of [podsCommand, configCommand, versionCommand]) program.addCommand(make())
  for (const make of [completionCommand, manCommand]) program.addCommand(make(() => program))
  for (const command of program.commands) prepare(command, program)
  return program
}

/** The long options of every command. */
export function interceptorOptions(): string[] {
  const optionsOf = (command: Command): string[] => [
    ...command.options.map(({ long }) => long ?? ''),
    ...command.commands.flatMap(optionsOf),
  ]
  return [...optionsOf(createProgram()), '--help', '--version']
}

/** Parses a command line as the program does, and loads the configuration that its options make. */
function checkInterceptor(args: readonly string[]): string | null {
  try {
    createProgram().parse(args, { from: 'user' })
    return null
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return null
    return `interceptor ${args.join(' ')}: ${(error as Error).message}`
  }
}

function prepare(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent)
  for (const inner of command.commands) prepare(inner, command)
  if (command.commands.length > 0) return
  command.action(() => {
    const flags = command.opts() as ConfigFlags
    if ('color' in flags) loadConfig({ env: {}, flags: configFlags(flags) })
  })
}

/** Helm reports wrong options before it prints help; a chart of this checkout is rendered with the values. */
function checkHelm(args: readonly string[]): string | null {
  const { code, stderr } = runTool('helm', [...args, '--help'])
  if (code !== 0) return `helm ${args.join(' ')}: ${stderr.trim()}`
  if (!args.includes(CHART)) return null
  const isOfInstall = (word: string): boolean =>
    ['install', 'upgrade', 'template', '--install', '--wait'].includes(word)
  const isOfUpgrade = (word: string): boolean =>
    ['--reset-then-reuse-values', '--reuse-values', '--atomic'].includes(word)
  const values = args.filter((word) => !isOfInstall(word) && !isOfUpgrade(word))
  // What an upgrade keeps of the installation.
  const kept = args.some(isOfUpgrade) ? ['--set', 'image.repository=r,config.kafka.brokers={kafka:9092}'] : []
  const rendered = runTool('helm', ['template', ...kept, ...values])
  return rendered.code === 0 ? null : `helm ${args.join(' ')}: ${rendered.stderr.trim()}`
}

/** Options by kubectl itself, which names a wrong one before it helps; behind `--` is a command of its own. */
function checkKubectl(args: readonly string[]): string | null {
  const at = args.indexOf('--')
  const own = at === -1 ? args : args.slice(0, at)
  const { code, stderr } = runTool('kubectl', [...own, '--help'])
  if (code !== 0) return `kubectl ${own.join(' ')}: ${stderr.trim().split('\n')[0]}`
  return at === -1 ? null : checkWords(args.slice(at + 1))
}

function checkNpm(args: readonly string[]): string | null {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const [command, name] = args.filter((word) => !word.startsWith('-'))
  const wanted = command === 'run' ? name : command
  const isKnown = wanted in scripts || ['ci', 'install', 'rebuild', 'pack'].includes(wanted)
  return isKnown ? null : `package.json has no script ${wanted}`
}

/** `docker run … IMAGE ARGUMENTS` with an image of ours: the arguments are the program's. */
function checkDocker(args: readonly string[]): string | null {
  if (args[0] !== 'run') return null
  const image = args.findIndex((word) => /(?:^|\/)interceptor(?::|$)/.test(word))
  if (image === -1) return 'docker run: not an image of ours'
  return image === args.length - 1 ? null : checkInterceptor(args.slice(image + 1))
}
