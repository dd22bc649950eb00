import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressWords } from '../../../src/assemble/vantage/network-set.ts'
import { identityOf } from '../../../src/assemble/vantage/pod-bytes.ts'
import { PodDirectory } from '../../../src/assemble/vantage/pod-directory.ts'
import type { AddressEntry } from '../../../src/pair/endpoint-pod.ts'

const SECOND = 1_000_000
/**
 * An IPv4 address, the IPv6 address with the same words, and addresses whose words have equal hashes or differ in one
 * word.
 */
const ADDRESSES = ['10.0.0.7', 'a00:7::', '10.0.0.8', 'fd44::7', 'fd44::8', 'fd44::7:0:0']
const NAMESPACES = ['shop', 'ops']

const holder = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  namespace: fc.constantFrom(...NAMESPACES, null),
  seconds: fc.integer({ min: 1, max: 40 }),
  /** Seconds since the previous holder. */
  pause: fc.integer({ min: 0, max: 40 }),
})
const entry = fc.record({
  address: fc.constantFrom(...ADDRESSES),
  holders: fc.array(holder, { maxLength: 3 }),
  isHeld: fc.boolean(),
})

/** Spans in order; the last one may be open. */
function entryOf({ address, holders, isHeld }: typeof entry extends fc.Arbitrary<infer T> ? T : never): AddressEntry {
  let micros = 0
  return {
    address,
    holders: holders.map(({ name, namespace, seconds, pause }, index) => {
      const fromMicros = micros + pause * SECOND
      micros = fromMicros + seconds * SECOND
      const identity = { name, namespace, uid: `${name}-${index}`, workload: null, labels: {} }
      return {
        pod: { identity, container: null, containersByPort: {} },
        fromMicros,
        toMicros: isHeld && index === holders.length - 1 ? null : micros,
      }
    }),
  }
}

/**
 * The pods that may be the holder at a time: those that held the address then, or otherwise those that held it within
 * ten seconds.
 */
function candidates({ holders }: AddressEntry, micros: number): string[] {
  const within = (slack: number) =>
    holders.filter(({ fromMicros, toMicros }) => {
      return micros >= fromMicros - slack && micros <= (toMicros ?? Number.POSITIVE_INFINITY) + slack
    })
  const sure = within(0)
  return (sure.length > 0 ? sure : within(10 * SECOND)).map(({ pod }) => pod.identity.uid)
}

test('PodDirectory: model: finds the pod that held an address, and the namespaces of all holders', () => {
  const property = fc.property(fc.array(fc.array(entry, { maxLength: 3 }), { maxLength: 12 }), (updates) => {
    const directory = new PodDirectory()
    const model = new Map<string, AddressEntry>()
    for (const update of updates) {
      const entries = update.map(entryOf)
      directory.set(entries)
      for (const one of entries) model.set(one.address, one)
      const all = [...model.values()].flatMap(({ holders }) => holders)
      for (const namespace of NAMESPACES) {
        const isKnown = all.some(({ pod }) => pod.identity.namespace === namespace)
        assert.equal(directory.hasNamespace(namespace), isKnown, namespace)
      }
      for (const address of ADDRESSES) {
        for (let second = 0; second < 160; second += 7) {
          const found = directory.find(addressWords(address), second * SECOND)?.at(0) ?? null
          const uid = identityOf(found)?.uid
          const expected = candidates(model.get(address) ?? { address, holders: [] }, second * SECOND)
          assert.ok(uid === undefined ? expected.length === 0 : expected.includes(uid), `${address} at ${second} s`)
        }
      }
    }
  })
  fc.assert(property, { numRuns: 50 })
})

test('PodDirectory: between two holders, the earlier one applies until the next begins', () => {
  const directory = new PodDirectory()
  const pod = (uid: string) => ({
    identity: { name: uid, namespace: null, uid, workload: null, labels: {} },
    container: null,
    containersByPort: {},
  })
  const holders = [
    { pod: pod('first'), fromMicros: 0, toMicros: 100 * SECOND },
    { pod: pod('second'), fromMicros: 104 * SECOND, toMicros: null },
  ]
  directory.set([{ address: '10.0.0.7', holders }])
  const at = (second: number) =>
    identityOf(directory.find(addressWords('10.0.0.7'), second * SECOND)?.at(0) ?? null)?.uid
  assert.deepEqual([-11, -9, 50, 102, 104, 1000].map(at), [undefined, 'first', 'first', 'first', 'second', 'second'])
})
