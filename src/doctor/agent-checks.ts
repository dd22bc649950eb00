/** Checks what the node agent needs in addition to capture: the host's processes and the Kubernetes API. */
import type { Config } from '../config/schema.ts'
import { findApiServer } from '../discovery/kubernetes/access.ts'
import { ApiClient } from '../discovery/kubernetes/api-client.ts'
import { describeFailure } from '../discovery/kubernetes/api-error.ts'
import { NodeScanner } from '../discovery/proc/scanner.ts'
import { errorText, hintOf, lacksPrivilege } from '../errors.ts'
import { type Check, failed, ok, skipped, warning } from './check.ts'

const RESPONSE_MS = 5_000
const PODS = 'pods of this node'
const API = 'Kubernetes API'

/** Yields each check once it is done. `capture -i` needs neither, so a failure of the first is a warning. */
export async function* agentChecks(config: Config): AsyncGenerator<Check> {
  yield processes(config)
  yield await apiServer(config)
}

function processes({ targets }: Config): Check {
  try {
    const { pods, processes: seen } = new NodeScanner(targets.procRoot).scan()
    return ok(PODS, `${pods.length} pods in ${seen} processes of ${targets.procRoot}`)
  } catch (error) {
    const fix = lacksPrivilege(error) ? '' : ', correct it'
    return warning(PODS, errorText(error), `for the agent${fix}: ${hintOf(error) ?? 'see the message'}`)
  }
}

async function apiServer({ kubernetes, node }: Config): Promise<Check> {
  try {
    const access = await findApiServer(kubernetes)
    if (access === null)
      return skipped(API, 'not configured: no kubeconfig, and not in a pod; pairs will not name pods')
    return await askForPods(new ApiClient(access), access.server.host, node.name)
  } catch (error) {
    return failed(API, errorText(error), hintOf(error) ?? 'correct kubernetes.kubeconfig')
  }
}

/** Tries the only request that the names of pods need. */
async function askForPods(client: ApiClient, host: string, node: string): Promise<Check> {
  const query = { limit: 1, fieldSelector: `spec.nodeName=${node}` }
  try {
    await client.get('/api/v1/pods', query, { signal: AbortSignal.timeout(RESPONSE_MS) })
    return ok(API, `${host} lists the pods of ${node}`)
  } catch (error) {
    const { message, hint } = describeFailure(error, { verb: 'list', resource: 'pods', group: '' })
    return failed(API, message, hint)
  }
}
