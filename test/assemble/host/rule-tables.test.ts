import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemblerMemory } from '../../../src/assemble/assembler.ts'
import { nameLengths, writeRules } from '../../../src/assemble/host/rule-tables.ts'
import { defaultConfig } from '../../../src/config/load.ts'
import { AssembleHarness, assemblerOptions } from '../../support/assemble-harness.ts'
import { TcpScript } from '../../support/tcp-script.ts'

const { filter } = defaultConfig()
const NO_RULES = { ...filter, contentTypes: [], userAgentPrefixes: [], requestHeaders: [], statuses: [], paths: [] }

test('rule tables: new rules replace the old ones from the next head on', () => {
  const rules = { ...NO_RULES, paths: ['/a'], requestHeaders: ['X-Old'] }
  const harness = new AssembleHarness({ everything: false, filter: rules })
  const script = new TcpScript().handshake()
  harness.segments(script.segments)
  const ask = (target: string, field: string): void => {
    const begin = script.segments.length
    script.client(`GET ${target} HTTP/1.1\r\n${field}: 1\r\n\r\n`).server('HTTP/1.1 204 No\r\n\r\n')
    harness.segments(script.segments.slice(begin))
  }
  const ruled = (): number[] => ['path', 'header', 'status'].map((rule) => harness.count(`pairs.filtered.${rule}`))
  ask('/a', 'X-New')
  ask('/b', 'X-Old')
  assert.deepEqual(ruled(), [1, 1, 0])
  harness.assembler.setFilter({ ...NO_RULES, paths: ['/bb', '/b'], requestHeaders: ['X-Other-Name', 'X-New'] })
  ask('/a', 'X-Old')
  assert.deepEqual(ruled(), [1, 1, 0])
  ask('/b', 'X-Old')
  ask('/a', 'x-nEW')
  assert.deepEqual(ruled(), [2, 2, 0])
  harness.assembler.setFilter({ ...NO_RULES, statuses: ['2xx'] })
  ask('/b', 'X-New')
  assert.deepEqual(ruled(), [2, 2, 1])
  assert.equal(harness.finish().pairs.length, 1)
})

test('rule tables: field names are looked up by length; long names share one entry', () => {
  const bits = (names: string[], hosts: string[] = []): number =>
    nameLengths({ ...NO_RULES, requestHeaders: names, include: { ...filter.include, hosts } })
  const always = (1 << 12) | (1 << 10)
  assert.equal(bits([]), always)
  assert.equal(bits(['X-Debug', 'a'], ['b']), always | (1 << 7) | (1 << 1) | (1 << 4))
  assert.equal(bits(['x'.repeat(31)]), bits(['x'.repeat(200)]))
})

test('rule tables: reports rules that do not fit as an error', () => {
  const memory = assemblerMemory(assemblerOptions({}))
  const paths = Array.from({ length: 20_000 }, (_, i) => `/${i}${'x'.repeat(60)}`)
  assert.throws(() => writeRules(memory, { ...NO_RULES, paths }), /too large/)
})
