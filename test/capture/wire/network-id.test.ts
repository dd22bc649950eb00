import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GRE_KEY, NetworkId, OVERLAY, SERVICE } from '../../../src/capture/wire/network-id.ts'

const idOf = (...steps: ((id: NetworkId) => void)[]): number => {
  const id = new NetworkId()
  for (const step of steps) step(id)
  return id.value
}
const vlan = (control: number) => (id: NetworkId) => id.enterVlan(control)
const overlay = (identifier: number) => (id: NetworkId) => id.enter(OVERLAY, identifier)

test('network id: is 0 outside any virtual network, and with a priority tag without a VLAN', () => {
  assert.equal(idOf(), 0)
  assert.equal(idOf(vlan(0)), 0)
  assert.equal(idOf(vlan(0xe000)), 0)
})

test('network id: depends on a VLAN’s identifier, not on the priority in its tag', () => {
  assert.equal(idOf(vlan(0xe005)), idOf(vlan(5)))
  assert.notEqual(idOf(vlan(5)), idOf(vlan(6)))
})

test('network id: no two of 4,094 VLANs and 65,536 overlay networks have the same, nor the one of none', () => {
  const ids = new Set([0])
  for (let id = 1; id < 4095; id += 1) ids.add(idOf(vlan(id)))
  for (let id = 0; id < 65_536; id += 1) ids.add(idOf(overlay(id)))
  assert.equal(ids.size, 1 + 4094 + 65_536)
})

test('network id: the kind of an identifier and the order of nested networks matter', () => {
  const kinds = ([OVERLAY, GRE_KEY, SERVICE] as const).map((kind) => idOf((id) => id.enter(kind, 5)))
  assert.equal(new Set([...kinds, idOf(vlan(5))]).size, 4)
  assert.notEqual(idOf(vlan(5), vlan(6)), idOf(vlan(6), vlan(5)))
  assert.notEqual(idOf(vlan(5), overlay(7)), idOf(overlay(7)))
  assert.equal(idOf(vlan(5), overlay(7)), idOf(vlan(5), overlay(7)))
})

test('network id: is an int32, as the flow’s key stores it', () => {
  for (const identifier of [1, 2 ** 24 - 1, 2 ** 32 - 1, -1]) {
    const value = idOf(overlay(identifier))
    assert.equal(value, value | 0)
  }
})
