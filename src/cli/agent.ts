/** `interceptor agent`: the node agent, which the DaemonSet runs on each node. */
import { Command } from 'commander'
import { configFilePath } from '../config/file-path.ts'
import type { LoadedConfig } from '../config/load.ts'
import { EXIT_INTERRUPTED, EXIT_RUNTIME, errorOf } from '../errors.ts'
import { count } from '../ledger/ledger.ts'
import { lossesOf } from '../ledger/losses.ts'
import type { Logger } from '../log/logger.ts'
import type { OutputOptions } from '../supervisor/options.ts'
import { addExamples, addGeneralOptions, addKafkaOptions, type ConfigFlags, configFlags } from './options.ts'
import { requireBrokers } from './output.ts'
import { writeLedger } from './summary.ts'
import { errorIsTerminal } from './terminal.ts'
import { type Ended, NOT_REPORTED, untilDone } from './until-done.ts'

interface AgentFlags extends ConfigFlags {
  proc?: string
  summary?: string
}

/** @param exit  receives the exit code */
export function agentCommand(exit: (code: number) => void): Command {
  const command = new Command('agent')
    .description(
      'Capture the pods of this node, including those that start later, and ship their HTTP pairs to Kafka, until SIGTERM.',
    )
    .option('--proc <dir>', 'where the host’s /proc is mounted (default: /proc)')
    .option('--summary <file>', 'write the ledger of counts as JSON to a file at the end, or - for standard error')
  addExamples(addGeneralOptions(addKafkaOptions(command), 'log at debug level'), [
    ['interceptor agent --config interceptor.yaml', 'run as the DaemonSet does'],
    ['interceptor agent --brokers kafka:9092', 'run with the defaults'],
    ['interceptor agent --set ship.sink=stdout', 'try it: print pairs as JSON, one per line'],
    ['interceptor pods', 'list what the agent would capture here, and why'],
  ])
  return command.action(async (flags: AgentFlags) => exit(await agent(flags)))
}

async function agent(flags: AgentFlags): Promise<number> {
  // Stays: without a listener SIGHUP ends the process, also before the agent listens to it and after.
  let hungUp = false
  process.on('SIGHUP', () => {
    hungUp = true
  })
  const { effectiveConfig } = await import('../config/effective.ts')
  const proc = flags.proc === undefined ? [] : [{ path: 'targets.procRoot', value: flags.proc, name: '--proc' }]
  const settings = [...configFlags(flags), ...proc]
  const load = () => effectiveConfig({ file: flags.config, flags: settings }, { apart: true })
  const loaded = await load()
  const { config } = loaded
  if (config.ship.sink === 'kafka') requireBrokers(loaded)
  const [{ createLogger }, { startAgent }] = await Promise.all([
    import('../log/logger.ts'),
    import('../agent/agent.ts'),
  ])
  const log = createLogger({ level: levelOf(flags, loaded), form: errorIsTerminal() ? 'lines' : 'json', times: true })
  const running = await startAgent({ loaded, file: configFilePath(flags.config), load, output: outputOf(loaded), log })
  if (hungUp) running.reload()
  const ended = await untilDone(running, config.shutdown.timeout, log)
  if (flags.summary !== undefined) writeLedger(flags.summary, ended.outcome?.ledger ?? running.ledger)
  return conclude(ended, config.ship.sink === 'kafka', log)
}

const levelOf = ({ quiet, verbose = 0 }: AgentFlags, { config }: LoadedConfig) =>
  quiet === true ? 'error' : verbose > 0 ? 'debug' : config.log.level

/** The agent's output is read by programs: JSON lines on standard output, in a file as configured. */
function outputOf({ config: { ship } }: LoadedConfig): OutputOptions {
  const toFile = ship.sink === 'file'
  return {
    format: toFile && ship.format === 'msgpack' ? 'msgpack' : 'ndjson',
    file: toFile ? ship.file : null,
    append: toFile,
    decode: ship.decode,
    color: false,
    width: null,
    verbose: false,
  }
}

/** @throws InterceptorError if the run failed */
function conclude({ outcome, signals }: Ended, toKafka: boolean, log: Logger): number {
  if (outcome === null) {
    log.error(NOT_REPORTED)
    return signals > 1 ? EXIT_INTERRUPTED : EXIT_RUNTIME
  }
  const { ledger, exitCode, failure } = outcome
  const [kept, shipped, lost] = ['pairs.kept', 'pairs.shipped', 'pairs.dropped'].map((path) => count(ledger, path))
  log.info('stopped', { kept, shipped, lost, ...lossesOf(ledger) })
  log.flush()
  if (failure !== null) throw errorOf(failure)
  if (signals > 1) return EXIT_INTERRUPTED
  return toKafka && count(ledger, 'pairs.dropped.shutdown') > 0 ? EXIT_RUNTIME : exitCode
}
