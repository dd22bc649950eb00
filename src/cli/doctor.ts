/** `interceptor doctor`: what is missing to capture and ship here, one line each, with the hint. */
import { Command } from 'commander'
import type { Check } from '../doctor/check.ts'
import { EXIT_DONE, EXIT_PRIVILEGE, EXIT_RUNTIME } from '../errors.ts'
import { addConfigOptions, addExamples, type ConfigFlags, configFlags } from './options.ts'
import { outputIsTerminal, wantsColor, writeOutput } from './terminal.ts'

/** @param exit takes the exit code: 0 when capture is possible here, 4 when a privilege is missing, else 1 */
export function doctorCommand(exit: (code: number) => void): Command {
  const command = new Command('doctor').description(
    'Say what is missing to capture here, to find pods, and to reach Kafka and the Kubernetes API, each with its hint.',
  )
  addExamples(addConfigOptions(command), [
    ['interceptor doctor', 'capture on this machine'],
    ['interceptor doctor --brokers kafka:9092 --topic pairs', 'and shipping to Kafka'],
    ['interceptor doctor --config agent.yaml', 'with TLS and authentication as the agent has them'],
  ])
  return command.action(async (flags: ConfigFlags) => exit(await doctor(flags)))
}

async function doctor(flags: ConfigFlags): Promise<number> {
  const { loadConfig } = await import('../config/load.ts')
  const { config } = loadConfig({ file: flags.config, flags: configFlags(flags) })
  const { allChecks } = await import('../doctor/all-checks.ts')
  const color = wantsColor(flags.color, outputIsTerminal())
  const checks: Check[] = []
  for await (const check of allChecks(config)) {
    checks.push(check)
    if (!flags.quiet || isFailure(check)) writeOutput(checkLine(check, color))
  }
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

/** `✗ packet sockets: not permitted → grant CAP_NET_RAW: …` */
export function checkLine(check: Check, color: boolean): string {
  const [mark, paint] = MARKS[check.state]
  const shown = color ? `${paint}${mark}\x1b[0m` : mark
  return `${shown} ${check.name}: ${check.found}${check.hint === null ? '' : ` → ${check.hint}`}\n`
}

/** A missing privilege goes before other failures, being the first thing to hint. */
export function doctorExitCode(checks: readonly Check[]): number {
  if (checks.some(({ state }) => state === 'privilege')) return EXIT_PRIVILEGE
  return checks.some(({ state }) => state === 'failed') ? EXIT_RUNTIME : EXIT_DONE
}
