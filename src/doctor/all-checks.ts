/** All checks, in the order of the output. The command imports this module only when it runs. */
import type { Config } from '../config/schema.ts'
import { agentChecks } from './agent-checks.ts'
import { captureChecks } from './capture-checks.ts'
import type { Check } from './check.ts'
import { kafkaChecks } from './kafka-checks.ts'
import { nodeChecks } from './node-checks.ts'

/** Yields each check once it is done. */
export async function* allChecks(config: Config): AsyncGenerator<Check> {
  yield* nodeChecks(config)
  yield* captureChecks(config)
  yield* agentChecks(config)
  yield* kafkaChecks(config)
}
