import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoint, Pair, PairPod } from '../../src/pair/pair.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { PairSelector } from '../../src/select/selector.ts'
import { ServerNames } from '../../src/ui/server-names.ts'
import { ServiceMap } from '../../src/ui/service-map.ts'
import { samplePair } from '../pair/samples.ts'

const podOf = (name: string): PairPod => ({
  name: `${name}-1`,
  namespace: 'shop',
  uid: name,
  workload: { kind: 'Deployment', name },
  container: name,
  labels: {},
})

const end = (address: string, port: number, pod: PairPod | null = null): Endpoint => ({ address, port, pod })

const call = (client: Endpoint, server: Endpoint, host: string, status = 200) =>
  samplePair({ client, server, request: { headers: [['Host', host]] }, response: { status } })

/** The map of pairs, as the page's traffic makes it. */
function mapOf(pairs: readonly Pair[]): ServiceMap {
  const names = new ServerNames()
  const map = new ServiceMap(names)
  for (const pair of pairs) {
    names.learn(pair)
    map.add(pair)
  }
  return map
}

test('service map: counts calls and errors between workloads', () => {
  const map = mapOf(
    [200, 404, 500].map((status) =>
      call(end('10.0.0.1', 5000, podOf('web')), end('10.0.0.2', 80, podOf('api')), 'api', status),
    ),
  )
  const { nodes, edges, other } = map.view()
  assert.deepEqual(
    nodes.map(({ id, label }) => [id, label]),
    [
      ['shop/web', 'shop/web'],
      ['shop/api', 'shop/api'],
    ],
  )
  const [{ from, to, requests, clientErrors, serverErrors }] = edges
  assert.deepEqual([from, to, requests, clientErrors, serverErrors, other], ['shop/web', 'shop/api', 3, 1, 1, 0])
})

test('service map: an address that serves under a name and calls others is one node with that name', () => {
  const map = mapOf([
    call(end('10.0.0.5', 5000), end('10.0.0.9', 80), 'shop.test:80'),
    call(end('10.0.0.9', 5001), end('10.0.0.10', 80), 'orders'),
  ])
  const { nodes, edges } = map.view()
  assert.deepEqual(nodes.map(({ label }) => label).sort(), ['10.0.0.5', 'orders', 'shop.test'])
  assert.deepEqual(edges.map(({ from, to }) => `${from} ${to}`).sort(), ['10.0.0.5 10.0.0.9', '10.0.0.9 10.0.0.10'])
})

test('service map: distinguishes servers on loopback by their ports', () => {
  const map = mapOf([
    call(end('127.0.0.1', 5000), end('127.0.0.1', 8080), '127.0.0.1:8080'),
    call(end('127.0.0.1', 5001), end('127.0.0.1', 8081), 'api.localhost:8081'),
  ])
  assert.deepEqual(
    map
      .view()
      .nodes.map(({ label }) => label)
      .sort(),
    ['127.0.0.1', '127.0.0.1:8080', 'api.localhost'],
  )
})

test('service map: the expressions of a node select exactly its pairs', async () => {
  const pairs = [
    call(end('10.0.0.1', 5000, podOf('web')), end('10.0.0.2', 80, podOf('api')), 'api'),
    call(end('10.0.0.5', 5000), end('127.0.0.1', 8080), 'x'),
    call(end('fd00::5', 5000), end('fd00::9', 8080), 'y'),
  ]
  const { nodes, edges } = mapOf(pairs).view()
  const select = async (where: string): Promise<boolean[]> => {
    const selector = await PairSelector.create({ grep: [], where })
    return pairs.map((pair) => selector?.selects(packPair(pair)) === true)
  }
  for (const [index, { client, server }] of pairs.entries()) {
    const only = pairs.map((_, other) => other === index)
    const edge = edges.find(({ from, to }) =>
      `${from} ${to}`.includes(client.pod === null ? client.address : 'shop/web'),
    )
    const [from, to] = [edge?.from, edge?.to].map((id) => nodes.find((node) => node.id === id))
    assert.deepEqual(await select(from?.asClient ?? ''), only, client.address)
    assert.deepEqual(await select(to?.asServer ?? ''), only, server.address)
  }
})

test('service map: bounds the arrows of 10,000 clients, and counts the rest', () => {
  const map = mapOf(
    Array.from({ length: 10_000 }, (_, number) =>
      call(end(`10.1.${number >> 8}.${number & 255}`, 5000), end('10.0.0.9', 80), 'shop'),
    ),
  )
  const { edges, other } = map.view()
  assert.ok(edges.length < 1000)
  assert.equal(
    edges.reduce((sum, { requests }) => sum + requests, other),
    10_000,
  )
})
