/** An API server, an account for the agent, and a kubeconfig with its token, for one test file. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { KubeApiserver } from '../../../rig/kube-apiserver.ts'
import { type ApiAccess, findApiServer } from '../../../src/discovery/kubernetes/access.ts'
import { ApiClient } from '../../../src/discovery/kubernetes/api-client.ts'
import type { Change, Collection, WatchTiming } from '../../../src/discovery/kubernetes/collection.ts'
import { type KnownPod, readPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import { ListWatch } from '../../../src/discovery/kubernetes/list-watch.ts'
import type { Logger } from '../../../src/log/logger.ts'
import { createServiceAccount, grant, type PolicyRule, requestToken } from '../../support/kube-apiserver-objects.ts'

export const ACCOUNT = { namespace: 'ops', name: 'agent' }
export const PODS_RULE: PolicyRule = { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }

/** The product's timing, with pauses short enough for tests. */
export const QUICK: WatchTiming = {
  watchMs: 60_000,
  idleMs: 150_000,
  healthyMs: 10_000,
  minPauseMs: 100,
  maxPauseMs: 500,
}

/** An agent's token and the kubeconfig that refers to it. */
export class AgentFiles {
  readonly tokenFile: string
  readonly kubeconfig: string
  readonly #cluster: KubeApiserver
  readonly #account: string

  private constructor(cluster: KubeApiserver, server: string, name: string) {
    this.#cluster = cluster
    this.#account = name
    this.tokenFile = join(cluster.folder, `${name}.token`)
    this.kubeconfig = join(cluster.folder, `${name}.kubeconfig`)
    const config = {
      clusters: [{ name: 'c', cluster: { server, 'certificate-authority': cluster.caFile } }],
      users: [{ name: 'u', user: { tokenFile: `${name}.token` } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }
    writeFileSync(this.kubeconfig, JSON.stringify(config))
  }

  /** @param server the server in the kubeconfig; default: the API server itself */
  static async create(
    cluster: KubeApiserver,
    rules: PolicyRule[],
    server = cluster.url,
    account = ACCOUNT.name,
  ): Promise<AgentFiles> {
    const files = new AgentFiles(cluster, server, account)
    await createServiceAccount(cluster, ACCOUNT.namespace, account)
    await grant(cluster, ACCOUNT.namespace, account, rules)
    await files.renewToken()
    return files
  }

  async renewToken(): Promise<void> {
    writeFileSync(this.tokenFile, `${await requestToken(this.#cluster, ACCOUNT.namespace, this.#account)}\n`)
  }

  async access(): Promise<ApiAccess> {
    const access = await findApiServer({ enabled: true, kubeconfig: this.kubeconfig, env: {} })
    return access!
  }
}

/** Log lines, for assertions. */
export class Lines implements Pick<Logger, 'info' | 'warn'> {
  readonly lines: string[] = []

  info(message: string): void {
    this.lines.push(message)
  }

  warn(message: string, fields: Record<string, unknown> = {}): void {
    this.lines.push(`${message} | ${fields['hint'] ?? ''}`)
  }
}

/** Pods, with the product's records. */
export const podsOf = (fieldSelector: string, pageSize = 500): Collection<KnownPod> => ({
  path: '/api/v1/pods',
  resource: 'pods',
  group: '',
  fieldSelector,
  pageSize,
  paged: false,
  maxRecords: 10_000,
  keep: readPod,
})

/** A watch of pods and the changes that it reports. Closed when the test ends. */
export class PodsUnderTest {
  readonly changes: Change<KnownPod>[] = []
  readonly log = new Lines()
  readonly watch: ListWatch<KnownPod>

  constructor(t: TestContext, access: ApiAccess, collection = podsOf('spec.nodeName=n1'), timing = QUICK) {
    this.watch = new ListWatch({
      client: new ApiClient(access),
      collection,
      log: this.log,
      onChange: (change) => this.changes.push(change),
      timing,
    })
    t.after(() => this.watch.close())
  }

  /** Names of its pods, sorted. */
  get names(): string[] {
    return [...this.watch.items.values()].map(({ name }) => name).sort()
  }

  /** All reported changes, such as `added web-0`. */
  get reported(): string[] {
    return this.changes.map(({ type, now, before }) => `${type} ${(now ?? before)?.name}`)
  }
}

/** Waits for a condition. @throws after `seconds`, with `what` */
export async function until(what: string, holds: () => boolean, seconds = 30): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Concurrent calls, like those of several controllers. */
const LANES = 16

/** Processes items concurrently. */
export async function inLanes<T>(items: Iterable<T>, work: (item: T) => Promise<unknown>): Promise<void> {
  const left = items[Symbol.iterator]()
  const lane = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}
