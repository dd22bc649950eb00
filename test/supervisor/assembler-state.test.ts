import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import type { AddressEntry, EndpointPod } from '../../src/pair/endpoint-pod.ts'
import { AssemblerState } from '../../src/supervisor/assembler-state.ts'

const pod: EndpointPod = {
  identity: { name: 'p', namespace: 'n', uid: 'u', workload: null, labels: {} },
  container: null,
  containersByPort: {},
}
const held = (address: string, fromMicros: number): AddressEntry => ({
  address,
  holders: [{ pod, fromMicros, toMicros: null }],
})

test('assembler state: the last said of everything, and addresses without holders forgotten', () => {
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
