/** `interceptor doctor`: checks whether this machine can capture and ship, one line per check, with a hint if it fails. */
import { Command, Option } from 'commander'
import type { Check } from '../doctor/check.ts'
import { EXIT_DONE, EXIT_PRIVILEGE, EXIT_RUNTIME } from '../errors.ts'
import { addConfigOptions, addExamples, type ConfigFlags, configFlags, VERBOSE_STACK } from './options.ts'
import { outputIsTerminal, wantsColor, writeOutput } from './terminal.ts'

/** @param exit  receives the exit code: 0 if no check failed, 4 if a privilege is missing, else 1 */
export function doctorCommand(exit: (code: number) => void): Command {
  const command = new Command('doctor').description(
    'Check whether this machine can capture, find pods, and reach Kafka and the Kubernetes API, and suggest fixes.',
  )
  command.addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
  addExamples(addConfigOptions(command, VERBOSE_STACK), [
    ['interceptor doctor', 'check this machine'],
    [
      'interceptor doctor -o json | jq \'.[] | select(.state != "ok")\'',
      'list the checks that are not ok, for a script',
    ],
    ['interceptor doctor --brokers kafka:9092 --topic pairs', 'also check a broker and a topic'],
    ['interceptor doctor --config agent.yaml', 'check with the TLS and authentication settings of the agent'],
  ])
  return command.action(async (flags: DoctorFlags) => exit(await doctor(flags)))
}

interface DoctorFlags extends ConfigFlags {
  output: 'text' | 'json'
}

async function doctor({ output, ...flags }: DoctorFlags): Promise<number> {
  const { effectiveConfig } = await import('../config/effective.ts')
  const { config } = await effectiveConfig({ file: flags.config, flags: configFlags(flags) })
  const { allChecks } = await import('../doctor/all-checks.ts')
  const color = wantsColor(flags.color, outputIsTerminal())
  const checks: Check[] = []
  for await (const check of allChecks(config)) {
    checks.push(check)
    if (output === 'text' && (!flags.quiet || isFailure(check))) writeOutput(checkLine(check, color))
  }
  if (output === 'json') writeOutput(`${JSON.stringify(checks, null, 2)}\n`)
  return doctorExitCode(checks)
}

const isFailure = ({ state }: Check): boolean => state === 'failed' || state === 'privilege'

const MARKS = {
  ok: ['✓', '\x1b[32m'],
  warning: ['!', '\x1b[33m'],
  failed: ['✗', '\x1b[31m'],
  privilege: ['✗', '\x1b[31m'],
  skipped: ['–', '\x1b[2m'],
} as const

/** Formats a check: `✗ packet sockets: not permitted → grant CAP_NET_RAW: …` */
export function checkLine(check: Check, color: boolean): string {
  const [mark, paint] = MARKS[check.state]
  const shown = color ? `${paint}${mark}\x1b[0m` : mark
  return `${shown} ${check.name}: ${check.found}${check.hint === null ? '' : ` → ${check.hint}`}\n`
}

/** A missing privilege outranks other failures, because it can cause them. */
export function doctorExitCode(checks: readonly Check[]): number {
  if (checks.some(({ state }) => state === 'privilege')) return EXIT_PRIVILEGE
  return checks.some(({ state }) => state === 'failed') ? EXIT_RUNTIME : EXIT_DONE
}
