import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTemplate } from '../../src/routes/template.ts'

test('route template: whole parts that identify one thing become {id}', () => {
  for (const [path, template] of [
    ['/orders/42/items/7', '/orders/{id}/items/{id}'],
    ['/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301', '/users/{id}'],
    ['/blobs/9b74c9897bac770ffc029102a200c5de', '/blobs/{id}'],
    ['/objects/507f1f77bcf86cd799439011', '/objects/{id}'],
    ['/events/01ARZ3NDEKTSV4RRFFQ69G5FAV', '/events/{id}'],
    ['/days/2026-11-23', '/days/{id}'],
    ['/at/2026-11-23T10:00:00Z', '/at/{id}'],
    ['/', '/'],
    ['/v1/orders', '/v1/orders'],
    ['/api/v2/alive', '/api/v2/alive'],
    ['/deadbeefdeadbeefdead', '/deadbeefdeadbeefdead'],
    ['/orders42', '/orders42'],
    ['/2026-99-99', '/2026-99-99'],
  ]) {
    assert.equal(routeTemplate(path).path, template)
  }
})

test('route template: the parts have their kinds, and long paths are cut', () => {
  assert.deepEqual(routeTemplate('/a/1/2026-11-23').parts, [
    { kind: 'integer', value: '1' },
    { kind: 'date', value: '2026-11-23' },
  ])
  assert.ok(routeTemplate(`/${'x/'.repeat(100_000)}`).path.length < 600)
})
