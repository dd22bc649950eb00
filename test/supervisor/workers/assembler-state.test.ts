import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultConfig } from '../../../src/config/load.ts'
import type { AddressEntry, EndpointPod } from '../../../src/pair/endpoint-pod.ts'
import { AssemblerState } from '../../../src/supervisor/workers/assembler-state.ts'

const pod: EndpointPod = {
  identity: { name: 'p', namespace: 'n', uid: 'u', workload: null, labels: {} },
  container: null,
  containersByPort: {},
}
const held = (address: string, fromMicros: number): AddressEntry => ({
  address,
  holders: [{ pod, fromMicros, toMicros: null }],
})

test('AssemblerState: keeps the latest of everything, and forgets addresses without holders', () => {
  const config = defaultConfig()
  const state = new AssemblerState(config)
  assert.deepEqual([state.filter, state.policy.keep, state.interfaces], [config.filter, 'server', []])
  const info = { name: 'a', vantage: 'host', mesh: null, domain: 0, vantagePoint: null } as const
  state.apply({ t: 'interface', id: 3, info })
  state.apply({ t: 'interface', id: 3, info: { ...info, name: 'b' } })
  assert.deepEqual(state.interfaces, [{ id: 3, info: { ...info, name: 'b' } }])
  state.apply({ t: 'addresses', entries: [held('10.0.0.1', 1), held('10.0.0.2', 1)] })
  state.apply({ t: 'addresses', entries: [held('10.0.0.1', 2), { address: '10.0.0.2', holders: [] }] })
  assert.deepEqual(state.addresses, [held('10.0.0.1', 2)])
  const filter = { ...config.filter, paths: [] }
  state.apply({ t: 'filter', filter })
  state.apply({ t: 'policy', policy: { keep: 'both', clusterNetworks: ['10.0.0.0/8'] } })
  assert.deepEqual([state.filter, state.policy], [filter, { keep: 'both', clusterNetworks: ['10.0.0.0/8'] }])
})

test('AssemblerState: a restarted assembler has the state of one that received every message', () => {
  const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3')
  const message = fc.oneof(
    fc.record({ t: fc.constant('interface' as const), id: fc.nat(3), name: fc.constantFrom('a', 'b') }),
    fc.record({ t: fc.constant('addresses' as const), address, isHeld: fc.boolean() }),
  )
  fc.assert(
    fc.property(fc.array(message, { maxLength: 50, size: 'max' }), (messages) => {
      const state = new AssemblerState(defaultConfig())
      const names = new Map<number, string>()
      const addresses = new Set<string>()
      for (const one of messages) {
        if (one.t === 'interface') {
          names.set(one.id, one.name)
          const info = { name: one.name, vantage: 'server' as const, mesh: null, domain: 0, vantagePoint: null }
          state.apply({ t: 'interface', id: one.id, info })
        } else {
          if (one.isHeld) addresses.add(one.address)
          else addresses.delete(one.address)
          const entry = one.isHeld ? held(one.address, 1) : { address: one.address, holders: [] }
          state.apply({ t: 'addresses', entries: [entry] })
        }
        assert.deepEqual(new Map(state.interfaces.map(({ id, info }) => [id, info.name])), names)
        assert.deepEqual(new Set(state.addresses.map(({ address: of }) => of)), addresses)
      }
    }),
  )
})
