import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { identityOf, PodBytes } from '../../../src/assemble/vantage/pod-bytes.ts'
import type { EndpointPod } from '../../../src/pair/endpoint-pod.ts'
import { propertyRuns } from '../../support/property-runs.ts'

/** The header of a map of six. A record of msgpackr's own, which other readers do not know, begins with another byte. */
const MAP_OF_SIX = 0x86
const unpackr = new Unpackr({ useRecords: false })

const word = fc.stringMatching(/^[a-z][a-z0-9.-]{0,40}$/)
const label = fc.stringMatching(/^[a-z][a-z0-9./-]{0,60}$/)
const nullable = (text: fc.Arbitrary<string>): fc.Arbitrary<string | null> => fc.option(text)
const port = fc.integer({ min: 1, max: 6 })
const pods: fc.Arbitrary<EndpointPod> = fc.record({
  identity: fc.record({
    name: nullable(word),
    namespace: nullable(word),
    uid: fc.uuid(),
    workload: fc.option(fc.record({ kind: fc.constantFrom('Deployment', 'DaemonSet'), name: word })),
    // Maps of 16 and more have another header.
    labels: fc.dictionary(label, fc.string({ maxLength: 63 }), { maxKeys: 20, size: 'max', noNullPrototype: true }),
  }),
  container: nullable(word),
  containersByPort: fc.dictionary(port.map(String), fc.constantFrom('app', 'web', 'db', ''), { noNullPrototype: true }),
})

test('PodBytes: model: encodes the pod with the container of the port, in the order of the schema, once for each container', () => {
  fc.assert(
    fc.property(pods, fc.array(fc.nat(8), { minLength: 1, maxLength: 20 }), (pod, ports) => {
      const encoded = new PodBytes(pod)
      const { name, namespace, uid, workload, labels } = pod.identity
      assert.equal(encoded.namespace, namespace)
      const seen = new Map<string, Uint8Array>()
      for (const at of ports) {
        const container = Object.hasOwn(pod.containersByPort, at) ? pod.containersByPort[at] : (pod.container ?? '')
        const bytes = encoded.at(at)
        assert.equal(bytes, seen.get(container) ?? bytes, 'encoded anew')
        seen.set(container, bytes)
        assert.equal(bytes[0], MAP_OF_SIX)
        // As text, because the order of the keys counts.
        const expected = { name, namespace, uid, workload, container, labels }
        assert.equal(JSON.stringify(unpackr.unpack(bytes)), JSON.stringify(expected))
        assert.equal(identityOf(bytes), pod.identity)
      }
      assert.equal(new Set(seen.values()).size, seen.size, 'containers share their bytes')
    }),
    { numRuns: propertyRuns(1000) },
  )
})

test('PodBytes: keeps the bytes of one pod from those of the next, which reuse no memory of the encoder', () => {
  const identity = (name: string) => ({ name, namespace: 'shop', uid: name, workload: null, labels: {} })
  const all = Array.from({ length: 1000 }, (_, i) => ({
    identity: identity(`pod-${i}`),
    container: 'app',
    containersByPort: {},
  }))
  const encoded = all.map((pod) => new PodBytes(pod).at(0))
  assert.deepEqual(
    encoded.map((bytes) => (unpackr.unpack(bytes) as { name: string }).name),
    all.map(({ identity: { name } }) => name),
  )
  assert.equal(new Set(encoded.map((bytes) => bytes.buffer)).size, all.length)
})

test('identityOf: only bytes that PodBytes has returned belong to a pod', () => {
  const pod = { identity: { name: null, namespace: null, uid: '1', workload: null, labels: {} }, container: null }
  const bytes = new PodBytes({ ...pod, containersByPort: {} }).at(80)
  assert.equal(identityOf(bytes), pod.identity)
  assert.equal(identityOf(bytes.slice()), null)
  assert.equal(identityOf(null), null)
})
