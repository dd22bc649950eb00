import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ClusterCidrs } from '../../../src/discovery/kubernetes/cluster-cidrs.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { type ApiObject, ObjectServer } from './object-server.ts'
import { Lines, until } from './rig.ts'

const NODES = '/api/v1/nodes'
const RANGES = '/apis/networking.k8s.io/v1/servicecidrs'

/** A node with a network and an address of its own, by its number. */
const nodeObject = (n: number): ApiObject => ({
  metadata: { uid: `node-${n}` },
  spec: { podCIDRs: [`10.${n}.2.0/24`, `fd44:${n}::/64`] },
  status: {
    addresses: [
      { type: 'Hostname', address: `node-${n}` },
      { type: 'InternalIP', address: `192.${n}.2.2` },
      { type: 'ExternalIP', address: `198.51.100.${n}` },
    ],
  },
})

const rangeObject = (n: number): ApiObject => ({
  metadata: { uid: `r-${n}` },
  spec: { cidrs: [`172.16.${2 * n}.0/24`] },
})

/** More nodes than one page of the list holds. */
const MANY = 230

test('ClusterCidrs: model: returns the networks of all nodes and Services that can be read, over any number of pages', async (t) => {
  const server = await ObjectServer.start(t)
  const count = fc.oneof(fc.nat(3), fc.integer({ min: 99, max: 101 }), fc.constant(MANY))
  const property = fc.asyncProperty(
    count,
    fc.nat(2),
    fc.constantFrom(0, 403, 500),
    fc.constantFrom(0, 403, 404),
    async (nodes, ranges, nodesRefused, rangesRefused) => {
      server.clear()
      for (let n = 1; n <= nodes; n++) server.set(NODES, `node-${n}`, nodeObject(n))
      for (let n = 1; n <= ranges; n++) server.set(RANGES, `r-${n}`, rangeObject(n))
      server.refuse(NODES, nodesRefused)
      server.refuse(RANGES, rangesRefused)
      const expected: string[] = []
      for (let n = 1; n <= nodes && nodesRefused === 0; n++) {
        expected.push(`10.${n}.2.0/24`, `fd44:${n}::/64`, `192.${n}.2.2/32`)
      }
      for (let n = 1; n <= ranges && rangesRefused === 0; n++) expected.push(`172.16.${2 * n}.0/24`)
      const log = new Lines()
      let changes = 0
      const cidrs = new ClusterCidrs({ client: server.client, log, onChange: () => changes++ })
      const refusals = [nodesRefused, rangesRefused].filter((status) => status !== 0).length
      try {
        await until('polled', () => log.lines.length === refusals && cidrs.cidrs.length === expected.length, 10)
        assert.deepEqual([...cidrs.cidrs].sort(), expected.sort())
        assert.equal(changes, expected.length === 0 ? 0 : 1)
        for (const line of log.lines)
          assert.match(line, / list .*(?:nodes|servicecidrs).*Or set targets\.clusterNetworks/)
      } finally {
        await cidrs.close()
      }
    },
  )
  await fc.assert(property, { numRuns: propertyRuns(60), interruptAfterTimeLimit: 20_000 })
})
