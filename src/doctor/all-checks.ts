/** Everything the doctor looks at, in the order it is shown. */
import type { Config } from '../config/schema.ts'
import { agentChecks } from './agent-checks.ts'
import { captureChecks } from './capture-checks.ts'
import type { Check } from './check.ts'
import { kafkaChecks } from './kafka-checks.ts'
import { nodeChecks } from './node-checks.ts'

/** Each check as soon as it is done. */
export async function* allChecks(config: Config): AsyncGenerator<Check> {
  yield* nodeChecks(config)
  yield* captureChecks(config)
  yield* agentChecks(config)
  yield* kafkaChecks(config)
}
