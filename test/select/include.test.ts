import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import type { PairPod } from '../../src/pair/pair.ts'
import { Include, type IncludeConfig } from '../../src/select/include.ts'
import { samplePair } from '../pair/samples.ts'

const include = (lists: Partial<IncludeConfig>): Include => new Include({ ...defaultConfig().filter.include, ...lists })

const POD: PairPod = {
  name: 'api-7d4-x2',
  namespace: 'shop',
  uid: 'u',
  workload: { kind: 'Deployment', name: 'api' },
  container: 'app',
  labels: {},
}
const PAIR = samplePair({ server: { address: '10.0.0.9', port: 80, pod: POD } })

/** A pair with a target and a Host field. */
const asked = (target: string, host: string) => samplePair({ request: { target, headers: [['host', host]] } })

test('include: includes every pair without lists', () => {
  assert.ok(include({}).isEmpty)
  assert.ok(include({}).pair(samplePair()))
  // A capture that is out of order may contain the response first.
  assert.ok(include({}).latency(-5))
  assert.ok(!include({ minLatency: 1 }).latency(-5))
})

test('include: each list alone decides', () => {
  const cases: [Partial<IncludeConfig>, boolean][] = [
    [{ methods: ['GET', 'POST'] }, true],
    [{ methods: ['GET', 'POSTS', 'POS'] }, false],
    [{ hosts: ['API'] }, true],
    [{ hosts: ['ap'] }, false],
    [{ paths: ['/users'] }, true],
    [{ paths: ['/user', '/users/*'] }, false],
    [{ statuses: ['2xx'] }, true],
    [{ statuses: ['200'] }, true],
    [{ statuses: ['201', '3xx'] }, false],
    [{ namespaces: ['sh*'] }, true],
    [{ namespaces: ['default'] }, false],
    [{ workloads: ['api'] }, true],
    [{ workloads: ['Deployment/a?i'] }, true],
    [{ workloads: ['deployment/api'] }, true],
    [{ workloads: ['StatefulSet/api'] }, false],
    [{ pods: ['api-*'] }, true],
    [{ pods: ['api'] }, false],
    [{ minLatency: 0.554 }, true],
    [{ minLatency: 0.555 }, false],
  ]
  for (const [lists, expected] of cases) {
    assert.equal(include(lists).isEmpty, false)
    assert.equal(include(lists).pair(PAIR), expected, JSON.stringify(lists))
  }
})

test('include: a pair must be on every list', () => {
  assert.ok(include({ methods: ['POST'], paths: ['/users'], statuses: ['200'] }).pair(PAIR))
  assert.ok(!include({ methods: ['POST'], paths: ['/users'], statuses: ['500'] }).pair(PAIR))
})

test('include: compares hosts without port and case', () => {
  const hosts = include({ hosts: ['*.Shop.local', '[fd00::1]'] })
  for (const host of ['api.shop.local', 'API.SHOP.LOCAL:8080', '[FD00::1]', '[fd00::1]:80']) {
    assert.ok(hosts.pair(asked('/', host)), host)
  }
  for (const host of ['shop.local', 'api.shop.local.evil', '[fd00::2]', '', ':80']) {
    assert.ok(!hosts.pair(asked('/', host)), host)
  }
  assert.ok(!hosts.pair(samplePair({ request: { headers: [] } })))
})

test('include: reads the path from every form of a target, without query and trailing slash', () => {
  const paths = include({ paths: ['/api/**'] })
  for (const target of ['/api', '/api/', '/api/a/b?x=/', 'http://h/api/a#f'])
    assert.ok(paths.pair(asked(target, '')), target)
  for (const target of ['/', '/apis', '*', 'api:443', 'http://api/', '/x?/api/a']) {
    assert.ok(!paths.pair(asked(target, '')), target)
  }
})

test('include: one pod must be on all lists of pods', () => {
  const client = {
    address: '10.0.0.5',
    port: 1,
    pod: { ...POD, namespace: 'web', workload: { kind: 'Job', name: 'cron' } },
  }
  const pair = samplePair({ client, server: PAIR.server })
  assert.ok(include({ namespaces: ['web'], workloads: ['cron'] }).pair(pair))
  assert.ok(!include({ namespaces: ['web'], workloads: ['api'] }).pair(pair))
  const unnamed = { ...POD, name: null, namespace: null, workload: null }
  for (const lists of [{ namespaces: ['*'] }, { workloads: ['*'] }, { pods: ['*'] }]) {
    assert.ok(!include(lists).pair(samplePair({ client: { address: '10.0.0.5', port: 1, pod: unnamed } })))
  }
})
