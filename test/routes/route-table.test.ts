import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUANTILE_ERROR, RouteTable } from '../../src/routes/route-table.ts'
import { samplePair } from '../pair/samples.ts'

/** A pair that starts at a full second and takes some microseconds. */
const pairOf = (target: string, micros = 1000, status = 200, second = 0) =>
  samplePair({
    requestStartMicros: second * 1e6,
    responseEndMicros: second * 1e6 + micros,
    request: { target },
    response: { status },
  })

test('route table: counts requests, errors, sizes and rate', () => {
  const table = new RouteTable('route')
  for (let second = 0; second < 10; second++)
    table.add(pairOf(`/a/${second}`, 1000, [200, 301, 404, 503][second % 4], second))
  const [row] = table.rows('requests')
  assert.equal(row.group, 'POST /a/{id} api')
  assert.deepEqual([row.requests, row.clientErrors, row.serverErrors], [10, 2, 2])
  assert.deepEqual([row.requestBytes, row.responseBytes], [70, 110])
  assert.ok(Math.abs(row.perSecond - 10 / 9.001) < 1e-9)
})

test('route table: quantiles are within the stated error of the nearest rank', () => {
  for (const count of [1, 2, 3, 10, 1000]) {
    const table = new RouteTable('status')
    const values = Array.from({ length: count }, (_, index) => Math.round(100 * 1.01 ** index))
    for (const micros of values) table.add(pairOf('/', micros))
    const [row] = table.rows('p99')
    for (const [q, ms] of [
      [0.5, row.p50Ms],
      [0.95, row.p95Ms],
      [0.99, row.p99Ms],
    ]) {
      const exact = values[Math.ceil(q * count) - 1] / 1000
      assert.ok(Math.abs(ms - exact) <= exact * QUANTILE_ERROR * 1.001, `${count} ${q}: ${ms} for ${exact}`)
    }
    assert.equal(row.maxMs, (values.at(-1) ?? 0) / 1000)
  }
})

test('route table: groups beyond the bound count under other, which comes last', () => {
  const table = new RouteTable('route')
  for (let route = 0; route < 10_000; route++) table.add(pairOf(`/route-${route}`))
  const rows = table.rows('requests')
  assert.equal(rows.length, 1000)
  assert.deepEqual([rows.at(-1)?.group, rows.at(-1)?.requests], ['other', 10_000 - 999])
})

test('route table: groups by workload, status, client and host', () => {
  const pod = {
    name: 'p',
    namespace: 'shop',
    uid: 'u',
    workload: { kind: 'Deployment', name: 'api' },
    container: '',
    labels: {},
  }
  const pair = samplePair({ server: { address: '10.0.0.9', port: 80, pod } })
  for (const [by, group] of [
    ['workload', 'shop/api'],
    ['status', '200'],
    ['client', '10.0.0.5'],
    ['host', 'api'],
    ['route', 'POST /users shop/api'],
  ] as const) {
    const table = new RouteTable(by)
    table.add(pair)
    assert.equal(table.rows('requests')[0].group, group)
  }
})

test('route table: sorts by the requested key', () => {
  const table = new RouteTable('route')
  table.add(pairOf('/fast'))
  table.add(pairOf('/fast'))
  table.add(pairOf('/slow', 9000))
  table.add(pairOf('/broken', 10, 500))
  const first = (sort: 'requests' | 'p95' | 'errors') => table.rows(sort)[0].group.split(' ')[1]
  assert.deepEqual([first('requests'), first('p95'), first('errors')], ['/fast', '/slow', '/broken'])
})
