/** The lookup's order, cache and retries, against an HTTP server; pod-watch.test.ts has a real API server. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { ApiClient } from '../../../src/discovery/kubernetes/api-client.ts'
import { OwnerLookup } from '../../../src/discovery/kubernetes/owner-lookup.ts'
import type { Owner } from '../../../src/discovery/kubernetes/workload.ts'
import { until } from '../../support/agent-rig.ts'
import { Lines } from './rig.ts'

const replicaSet = (name: string): Owner => ({ kind: 'ReplicaSet', name, apiVersion: 'apps/v1' })
const job = (name: string): Owner => ({ kind: 'Job', name, apiVersion: 'batch/v1' })
const pathOf = (owner: Owner): string =>
  `/apis/${owner.apiVersion}/namespaces/shop/${owner.kind === 'Job' ? 'jobs' : 'replicasets'}/${owner.name}`

const ownedBy = (kind: string, name: string): object => ({
  metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind, name, controller: true }] },
})

/** A lookup, and a server with the given responses by path: an object, or an error status. */
class Rig {
  readonly requests: string[] = []
  readonly found: string[] = []
  readonly log = new Lines()
  readonly lookup: OwnerLookup
  /** Requests that the server has not answered yet. */
  #open = 0
  mostOpen = 0

  private constructor(port: number) {
    const access = {
      server: new URL(`http://127.0.0.1:${port}`),
      credentials: () => Promise.resolve({}),
      forgetCredentials: () => {},
    }
    this.lookup = new OwnerLookup({
      client: new ApiClient(access),
      log: this.log,
      onFound: (_namespace, owner) => this.found.push(owner.name),
    })
  }

  static async start(t: TestContext, responses: Record<string, object | number>): Promise<Rig> {
    const server = createServer((request, response) => {
      const path = request.url ?? ''
      rig.requests.push(path)
      rig.#open += 1
      rig.mostOpen = Math.max(rig.mostOpen, rig.#open)
      const reply = responses[path] ?? 404
      const status = typeof reply === 'number' ? reply : 200
      setImmediate(() => {
        rig.#open -= 1
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(typeof reply === 'number' ? { code: status, message: `status ${status}` } : reply))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const rig = new Rig((server.address() as AddressInfo).port)
    t.after(async () => {
      await rig.lookup.close()
      server.close()
    })
    return rig
  }

  find(owner: Owner): ReturnType<OwnerLookup['find']> {
    return this.lookup.find('shop', owner)
  }
}

test('owner lookup: fetches each owner once, one at a time, and caches it', async (t) => {
  const owners = Array.from({ length: 5 }, (_, index) => replicaSet(`web-${index}`))
  const responses = owners.map((owner, index) => [pathOf(owner), ownedBy('Deployment', `d${index}`)] as const)
  const rig = await Rig.start(t, Object.fromEntries(responses))
  for (const owner of [...owners, ...owners]) assert.equal(rig.find(owner), null)
  await until('all are found', () => rig.found.length === owners.length)
  for (const [index, owner] of owners.entries()) {
    assert.deepEqual(rig.find(owner), { kind: 'Deployment', name: `d${index}` })
  }
  assert.deepEqual(rig.requests, owners.map(pathOf))
  assert.equal(rig.mostOpen, 1)
})

test('owner lookup: an object without an owner is the workload itself', async (t) => {
  const rig = await Rig.start(t, { [pathOf(job('import'))]: { metadata: {} } })
  rig.find(job('import'))
  await until('it is found', () => rig.found.length === 1)
  assert.deepEqual(rig.find(job('import')), { kind: 'Job', name: 'import' })
})

test('owner lookup: skips a deleted object, and fetches the next one', async (t) => {
  const rig = await Rig.start(t, { [pathOf(replicaSet('b'))]: ownedBy('Deployment', 'web') })
  rig.find(replicaSet('a'))
  rig.find(replicaSet('b'))
  await until('the second one is found', () => rig.found.length === 1)
  assert.deepEqual([rig.find(replicaSet('a')), rig.requests.length], [null, 2])
})

test('owner lookup: without permission, requests each resource once and logs a hint', async (t) => {
  const jobResponse = ownedBy('CronJob', 'nightly')
  const rig = await Rig.start(t, { [pathOf(replicaSet('a'))]: 403, [pathOf(job('c'))]: jobResponse })
  for (const owner of [replicaSet('a'), replicaSet('b'), job('c')]) rig.find(owner)
  await until('the Job is found', () => rig.found.length === 1)
  assert.deepEqual(rig.requests, [pathOf(replicaSet('a')), pathOf(job('c'))])
  assert.match(rig.log.lines.join('\n'), /get replicasets/)
})

test('owner lookup: retries after a failure of the server', async (t) => {
  const responses: Record<string, object | number> = { [pathOf(replicaSet('a'))]: 500 }
  const rig = await Rig.start(t, responses)
  rig.find(replicaSet('a'))
  await until('it failed', () => rig.requests.length === 1)
  responses[pathOf(replicaSet('a'))] = ownedBy('Deployment', 'web')
  await until('it is found', () => rig.found.length === 1)
  assert.equal(rig.requests.length, 2)
})

test('owner lookup: an owner that is evicted before its request is sent is requested once', async (t) => {
  const evicted = job('import')
  const last = job('nightly')
  const responses = {
    [pathOf(replicaSet('r0'))]: 403,
    [pathOf(evicted)]: { metadata: {} },
    [pathOf(last)]: { metadata: {} },
  }
  const rig = await Rig.start(t, responses)
  // The first request is sent at once; of the others, more than the cache holds are waiting.
  for (const owner of [replicaSet('r0'), evicted]) rig.find(owner)
  for (let index = 1; index <= 4096; index += 1) rig.find(replicaSet(`r${index}`))
  for (const owner of [evicted, last]) rig.find(owner)
  await until('the last one is found', () => rig.found.includes('nightly'))
  assert.deepEqual(rig.requests, [replicaSet('r0'), evicted, last].map(pathOf))
})
