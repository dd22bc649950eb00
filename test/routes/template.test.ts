import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTemplate } from '../../src/routes/template.ts'

/** Asserts the templates of paths. */
function templatesAre(expected: readonly (readonly [path: string, template: string])[]): void {
  for (const [path, template] of expected) assert.equal(routeTemplate(path).path, template)
}

test('route template: numbers, UUIDs, hashes, dates and ids become {id}', () =>
  templatesAre([
    ['/orders/42/items/7', '/orders/{id}/items/{id}'],
    ['/offsets/-1', '/offsets/{id}'],
    ['/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301', '/users/{id}'],
    ['/users/3F2504E04F8911D39A0C0305E82C3301', '/users/{id}'],
    ['/blobs/9b74c9897bac770ffc029102a200c5de', '/blobs/{id}'],
    ['/blobs/9f86d081', '/blobs/{id}'],
    ['/objects/507f1f77bcf86cd799439011', '/objects/{id}'],
    ['/events/01ARZ3NDEKTSV4RRFFQ69G5FAV', '/events/{id}'],
    ['/runs/0ujtsYcgvSTl8PAuAdqWYSMnLOv', '/runs/{id}'],
    ['/customers/cus_NffrFeUfNV2Hib', '/customers/{id}'],
    ['/days/2026-11-23', '/days/{id}'],
    ['/at/2026-11-23T10:00:00Z', '/at/{id}'],
    ['/mail/ann@example.com/inbox', '/mail/{id}/inbox'],
  ]))

test('route template: keeps names with digits', () =>
  templatesAre([
    ['/', '/'],
    ['//', '//'],
    ['/v1/orders', '/v1/orders'],
    ['/api/v2beta1/alive', '/api/v2beta1/alive'],
    ['/products/iphone-15', '/products/iphone-15'],
    ['/deadbeefdeadbeefdead', '/deadbeefdeadbeefdead'],
    ['/cafe2026', '/cafe2026'],
    ['/feb2026', '/feb2026'],
    ['/orders42', '/orders42'],
    ['/2026-99-99', '/2026-99-99'],
    ['/api/1.0/status', '/api/1.0/status'],
    ['/shop.Cart/GetUserByIdV2Request', '/shop.Cart/GetUserByIdV2Request'],
    ['/@types/node', '/@types/node'],
    ['/\u{1f600}/%F0%9F%98%80', '/\u{1f600}/%F0%9F%98%80'],
  ]))

test('route template: recognises ids before an extension, in matrix parameters and percent-encoded', () =>
  templatesAre([
    ['/users/42.json', '/users/{id}.json'],
    ['/assets/app.9f86d081.js', '/assets/app.9f86d081.js'],
    ['/cart;jsessionid=9B74C9897BAC770FFC029102A200C5DE/items', '/cart;jsessionid={id}/items'],
    ['/orders/42;v=2;lang=en', '/orders/{id};v={id};lang=en'],
    ['/orders;42', '/orders;{id}'],
    ['/at/2026-11-23T10%3A00%3A00Z', '/at/{id}'],
    ['/mail/ann%40example.com', '/mail/{id}'],
    ['/orders/%34%32', '/orders/{id}'],
    ['/orders/4%2', '/orders/4%2'],
    ['/a%2Fb/c', '/a%2Fb/c'],
  ]))

test('route template: reports the kind of each part', () => {
  const { kinds } = routeTemplate('/a/1/2026-11-23;by=ann@example.com/cus_NffrFeUfNV2Hib')
  assert.deepEqual(kinds, ['integer', 'date', 'email', 'token'])
})

test('route template: truncates long paths and segments, in bounded time', () => {
  assert.ok(routeTemplate(`/${'x/'.repeat(100_000)}`).path.length < 600)
  assert.equal(routeTemplate(`/posts/${'x'.repeat(300)}/comments`).path, `/posts/${'x'.repeat(80)}…/comments`)
  // A pattern with unbounded backtracking would never return.
  for (const hostile of ['1.', 'a1', 'a@', 'a1@.', ';', '%31']) {
    assert.ok(routeTemplate(`/${hostile.repeat(100_000)}`).path.length < 2000, hostile)
  }
})
