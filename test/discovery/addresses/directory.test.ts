import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AddressDirectory, type HeldAddress } from '../../../src/discovery/addresses/directory.ts'
import { heldAddresses } from '../../../src/discovery/addresses/sources.ts'
import { endpointOfKnown } from '../../../src/discovery/decide/endpoint.ts'
import { joinPods } from '../../../src/discovery/decide/join-pods.ts'
import type { AddressEntry } from '../../../src/pair/endpoint-pod.ts'
import { knownPod, onHost, procPod, snapshotOf } from '../make.ts'

/** Sets the pods of this node in one call. */
class Directory extends AddressDirectory {
  update(all: readonly HeldAddress[], nowMicros: number): AddressEntry[] {
    this.holdAll(all, nowMicros)
    return this.drainChanges(nowMicros)
  }
}

/** A consumer’s copy of the directory, built from the reported changes. */
class Copy {
  readonly #entries = new Map<string, AddressEntry>()

  apply(entries: readonly AddressEntry[]): void {
    for (const entry of entries) {
      if (entry.holders.length === 0) this.#entries.delete(entry.address)
      else this.#entries.set(entry.address, entry)
    }
  }

  get entries(): AddressEntry[] {
    return [...this.#entries.values()]
  }
}

const SECOND = 1_000_000
const MINUTE = 60 * SECOND
const held = (name: string, fromMicros: number, address = '10.244.0.7'): HeldAddress => {
  return { address, pod: endpointOfKnown(knownPod(name)), fromMicros }
}

/** `address name from–to …` for each entry. */
const shown = (entries: readonly AddressEntry[]): string[] =>
  entries.map(({ address, holders }) => {
    const spans = holders.map(({ pod, fromMicros, toMicros }) => `${pod.identity.name} ${fromMicros}–${toMicros ?? ''}`)
    return [address, ...spans].join(' ')
  })

test('AddressDirectory: a pod’s record from the API server is not replaced by its record from /proc', () => {
  const directory = new Directory()
  const named = held('client-0', 0)
  const unnamed: HeldAddress = {
    ...named,
    pod: { ...named.pod, identity: { ...named.pod.identity, name: null, namespace: null } },
  }
  const holders = (entries: AddressEntry[]) =>
    entries.flatMap((entry) => entry.holders.map(({ pod }) => pod.identity.name))
  assert.deepEqual(holders(directory.update([unnamed], SECOND)), [null])
  directory.hold(named, 2 * SECOND)
  assert.deepEqual(holders(directory.drainChanges(2 * SECOND)), ['client-0'])
  assert.deepEqual(directory.update([unnamed], 3 * SECOND), [])
})

test('AddressDirectory: reports a new holder once', () => {
  const directory = new Directory()
  const pod = held('a', 5)
  assert.deepEqual(shown(directory.update([pod], 10)), ['10.244.0.7 a 5–'])
  assert.deepEqual(directory.update([pod], 20), [])
})

test('AddressDirectory: keeps the past holder of a reused address with its time span', () => {
  const directory = new Directory()
  directory.update([held('a', 5)], 10)
  assert.deepEqual(shown(directory.update([], 20)), ['10.244.0.7 a 5–20'])
  assert.deepEqual(shown(directory.update([held('b', 30)], 40)), ['10.244.0.7 a 5–20 b 30–'])
})

test('AddressDirectory: ends a span where the next one begins if the release was noticed late', () => {
  const directory = new Directory()
  directory.update([held('a', 5)], 10)
  assert.deepEqual(shown(directory.update([held('b', 15)], 20)), ['10.244.0.7 a 5–15 b 15–'])
  directory.update([], 50)
  assert.deepEqual(shown(directory.update([held('c', 45)], 60)), ['10.244.0.7 a 5–15 b 15–45 c 45–'])
})

test('AddressDirectory: a holder cannot begin before the previous one did', () => {
  const directory = new Directory()
  directory.update([held('a', 50)], 60)
  assert.deepEqual(shown(directory.update([held('b', 20)], 70)), ['10.244.0.7 a 50–50 b 50–'])
})

test('AddressDirectory: an updated pod replaces the earlier record for its whole span', () => {
  const directory = new Directory()
  directory.update([held('a', 5)], 10)
  const pod = endpointOfKnown(knownPod('a', { labels: { version: '2' } }))
  const [entry] = directory.update([{ ...held('a', 9), pod }], 20)
  assert.deepEqual(entry?.holders, [{ pod, fromMicros: 5, toMicros: null }])
})

test('AddressDirectory: moves every span when the clock is set', () => {
  const directory = new Directory()
  directory.update([held('before', 5 * MINUTE)], 6 * MINUTE)
  directory.update([held('now', 8 * MINUTE), held('other', 0, '10.244.0.8')], 9 * MINUTE)
  directory.shift(-MINUTE)
  assert.deepEqual(shown(directory.drainChanges(8 * MINUTE)), [
    `10.244.0.7 before ${4 * MINUTE}–${7 * MINUTE} now ${7 * MINUTE}–`,
    `10.244.0.8 other ${-MINUTE}–`,
  ])
})

test('AddressDirectory: remembers four holders', () => {
  const directory = new Directory()
  const copy = new Copy()
  for (const [index, name] of ['a', 'b', 'c', 'd', 'e', 'f'].entries()) {
    copy.apply(directory.update([held(name, index)], index))
  }
  assert.deepEqual(shown(copy.entries), ['10.244.0.7 c 2–3 d 3–4 e 4–5 f 5–'])
})

test('AddressDirectory: forgets a past holder after ten minutes, and an address with its last holder', () => {
  const directory = new Directory()
  directory.update([held('a', 0), held('x', 0, 'fd44::7')], 0)
  directory.update([held('b', SECOND)], SECOND)
  assert.deepEqual(directory.update([held('b', SECOND)], 9 * MINUTE), [])
  const changed = shown(directory.update([held('b', SECOND)], 11 * MINUTE))
  assert.deepEqual(changed.sort(), ['10.244.0.7 b 1000000–', 'fd44::7'])
})

test('AddressDirectory: single holds are independent of holdAll, and an address can move between both', () => {
  const directory = new Directory()
  const remote = held('remote', 5, '10.244.9.9')
  directory.hold(remote, 10)
  assert.deepEqual(shown(directory.update([], 20)), ['10.244.9.9 remote 5–'])
  assert.deepEqual(directory.update([held('a', 5)], 30).length, 1)
  assert.deepEqual(directory.update([], 40).length, 1)
  assert.deepEqual(shown(directory.update([held('moved', 50, '10.244.9.9')], 60)), ['10.244.9.9 remote 5–50 moved 50–'])
  directory.release('10.244.9.9', 'remote', 70)
  assert.deepEqual(directory.drainChanges(70), [])
  directory.hold(held('back', 80, '10.244.9.9'), 90)
  assert.deepEqual(shown(directory.update([], 100)), ['10.244.9.9 remote 5–50 moved 50–80 back 80–'])
  directory.release('10.244.9.9', 'back', 110)
  assert.deepEqual(shown(directory.drainChanges(110)), ['10.244.9.9 remote 5–50 moved 50–80 back 80–110'])
})

test('AddressDirectory: model: spans are ordered and bounded, and the last holder is the current one', () => {
  const step = fc.record({
    after: fc.integer({ min: 0, max: 5 * MINUTE }),
    holders: fc.dictionary(fc.constantFrom('10.0.0.1', '10.0.0.2'), fc.constantFrom('a', 'b', 'c', 'd', 'e')),
    age: fc.integer({ min: 0, max: 10 * MINUTE }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const directory = new Directory()
      const copy = new Copy()
      let now = 0
      for (const { after, holders, age } of steps) {
        now += after
        const present = Object.entries(holders).map(([address, name]) => held(name, now - age, address))
        copy.apply(directory.update(present, now))
        for (const { holders: all } of copy.entries) {
          assert.ok(all.length <= 4)
          all.forEach(({ fromMicros, toMicros }, index) => {
            assert.ok(index === all.length - 1 || toMicros! <= all[index + 1].fromMicros)
            assert.ok(toMicros === null || (toMicros >= fromMicros && toMicros >= now - 10 * MINUTE))
          })
        }
        const last = copy.entries.map(({ address, holders: all }) => {
          return [address, all.at(-1)?.toMicros === null ? all.at(-1)?.pod.identity.name : undefined]
        })
        const holding = last.filter(([, name]) => name !== undefined)
        assert.deepEqual(Object.fromEntries(holding), { ...holders })
      }
    }),
  )
})

test('heldAddresses: begins when the pod’s first process started, in packet time', () => {
  const pods = [procPod('a', { startTicks: 900, addresses: ['10.244.0.7', 'fd44::7'] })]
  const found = heldAddresses(snapshotOf(pods, { uptimeTicks: 1000 }), joinPods(pods, [knownPod('a')]), 50 * SECOND)
  assert.deepEqual(
    found.map(({ address, fromMicros }) => [address, fromMicros]),
    [
      ['10.244.0.7', 49 * SECOND],
      ['fd44::7', 49 * SECOND],
    ],
  )
})

test('heldAddresses: excludes host-network pods; includes unnamed pods and pods without visible processes', () => {
  const pods = [procPod('unnamed'), onHost('host')]
  const host = knownPod('host', { hostNetwork: true, addresses: ['192.0.2.2'] })
  const machine = knownPod('kata', { addresses: ['10.244.0.9'], startMicros: 7 })
  const found = heldAddresses(
    snapshotOf(pods),
    joinPods(pods, [host, machine, { ...host, uid: 'x', cgroupUid: 'x' }]),
    9,
  )
  assert.deepEqual(
    found.map(({ address, pod, fromMicros }) => [address, pod.identity.name, fromMicros]),
    [
      ['10.244.0.9', 'kata', 7],
      ['10.244.0.7', null, -8_999_991],
    ],
  )
})
