import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Change } from '../../../src/discovery/kubernetes/collection.ts'
import { type RemotePod, type RemoteService, RemoteWatch } from '../../../src/discovery/kubernetes/remote-watch.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { type ApiObject, ObjectServer, SHORT } from './object-server.ts'
import { Lines, until } from './rig.ts'

const PODS = '/api/v1/pods'
const SERVICES = '/api/v1/services'
const NODE = 'own'

const podSpec = fc.record({
  node: fc.constantFrom(NODE, 'other'),
  phase: fc.constantFrom('Running', 'Pending', 'Succeeded', 'Failed'),
  hostNetwork: fc.boolean(),
  addresses: fc.subarray(['10.244.0.7', 'fd44::7', 'FD44:0:0::8']),
  version: fc.constantFrom('1', '2'),
})
type PodSpec = typeof podSpec extends fc.Arbitrary<infer T> ? T : never

const podObject = (uid: string, { node, phase, hostNetwork, addresses, version }: PodSpec): ApiObject => ({
  metadata: { uid, name: uid, namespace: 'shop', labels: { version } },
  spec: { nodeName: node, hostNetwork, containers: [{ name: 'app' }] },
  status: { phase, podIPs: addresses.map((ip) => ({ ip })) },
})

const serviceObject = (uid: string, clusterIPs: readonly string[]): ApiObject => ({
  metadata: { uid, name: uid, namespace: 'shop' },
  spec: { clusterIP: clusterIPs[0] ?? 'None', clusterIPs: clusterIPs.length === 0 ? ['None'] : clusterIPs },
})

const uid = fc.constantFrom('a', 'b', 'c')
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ pod: uid, spec: fc.option(podSpec) }) },
  { weight: 2, arbitrary: fc.record({ service: uid, ips: fc.option(fc.subarray(['10.96.0.1', 'fd96::1'])) }) },
  { weight: 4, arbitrary: fc.constantFrom('cut', 'compact', 'wait', 'wait') },
)

/** `uid addresses name` of each object that names remote endpoints. */
const shown = (record: RemotePod | RemoteService): string => {
  const name = record.kind === 'pod' ? `${record.identity.name} ${record.identity.labels['version']}` : record.name
  return `${record.kind} ${record.uid} ${record.addresses.join()} ${name}`
}

test('RemoteWatch: model: holds the pods of other nodes and the Services, and reports each change once', async (t) => {
  const server = await ObjectServer.start(t)
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
    server.clear()
    const pods = new Map<string, PodSpec>()
    const services = new Map<string, string[]>()
    /** The sum of the reported changes. */
    const reported = new Map<string, string>()
    const onChange = ({ now, before }: Change<RemotePod | RemoteService>): void => {
      const key = `${(now ?? before)?.kind} ${(now ?? before)?.uid}`
      assert.equal(reported.get(key), before === null ? undefined : shown(before), 'a change continues the last one')
      if (now === null) reported.delete(key)
      else reported.set(key, shown(now))
    }
    const watch = new RemoteWatch({ client: server.client, node: NODE, log: new Lines(), onChange, timing: SHORT })
    const expected = (): string[] => [
      ...[...pods]
        .filter(([, { node, phase, hostNetwork, addresses }]) => {
          return node !== NODE && /Running|Pending/.test(phase) && !hostNetwork && addresses.length > 0
        })
        .map(([id, { addresses, version }]) => {
          return `pod ${id} ${addresses.map((ip) => ip.toLowerCase().replace(':0:0::', '::')).join()} ${id} ${version}`
        }),
      ...[...services].filter(([, ips]) => ips.length > 0).map(([id, ips]) => `service ${id} ${ips.join()} ${id}`),
    ]
    const held = (): string[] => [...watch.pods.values(), ...watch.services.values()].map(shown)
    const isCurrent = (): boolean =>
      watch.state.pods.synced &&
      watch.state.services.synced &&
      held().sort().join('\n') === expected().sort().join('\n')
    try {
      for (const one of steps) {
        if (one === 'cut') server.cut()
        else if (one === 'compact') server.compact()
        else if (one === 'wait') await until(`${held()} is ${expected()}`, isCurrent, 10)
        else if ('pod' in one) {
          if (one.spec === null) pods.delete(one.pod)
          else pods.set(one.pod, one.spec)
          server.set(PODS, one.pod, one.spec === null ? null : podObject(one.pod, one.spec))
        } else {
          if (one.ips === null) services.delete(one.service)
          else services.set(one.service, one.ips)
          server.set(SERVICES, one.service, one.ips === null ? null : serviceObject(one.service, one.ips))
        }
      }
      await until(`${held()} is ${expected()}`, isCurrent, 10)
      assert.deepEqual([...reported.values()].sort(), held().sort())
    } finally {
      await watch.close()
    }
  })
  await fc.assert(property, { numRuns: propertyRuns(60), interruptAfterTimeLimit: 20_000 })
})
