import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, describeFailure, errorFromStatus } from '../../../src/discovery/kubernetes/api-error.ts'

const LIST_PODS = { verb: 'list', resource: 'pods', group: '' } as const

test('errorFromStatus: distinguishes an expired revision from one that is ahead', () => {
  const expired = errorFromStatus(0, { code: 410, reason: 'Expired', message: 'too old resource version' }, undefined)
  assert.deepEqual([expired.isGone, expired.isAhead, expired.status], [true, false, 410])
  assert.equal(errorFromStatus(410, undefined, undefined).isGone, true)
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }]
  const ahead = errorFromStatus(504, { code: 504, reason: 'Timeout', details: { causes } }, undefined)
  assert.deepEqual([ahead.isGone, ahead.isAhead], [false, true])
  assert.equal(errorFromStatus(504, { reason: 'Timeout' }, undefined).isAhead, false)
})

test('errorFromStatus: reads Retry-After in seconds, as a date and from the body, within bounds', () => {
  const after = (header: string | undefined, details = {}): number =>
    errorFromStatus(429, { details }, header).retryAfterMs
  assert.equal(after('7'), 7000)
  assert.equal(after('0'), 0)
  assert.equal(after('-3'), 0)
  assert.equal(after('soon'), 0)
  assert.equal(after('86400'), 300_000)
  assert.equal(after(undefined, { retryAfterSeconds: 2 }), 2000)
  assert.equal(after(undefined, { retryAfterSeconds: 'x' }), 0)
  assert.equal(after(new Date(Date.now() - 60_000).toUTCString()), 0)
  const later = after(new Date(Date.now() + 60_000).toUTCString())
  assert.ok(later > 50_000 && later <= 60_000, `${later}`)
})

test('errorFromStatus: accepts any body', () => {
  for (const body of [undefined, null, 7, 'text', [], {}, { code: 'x', message: 3, details: { causes: 1 } }]) {
    const error = errorFromStatus(500, body, undefined)
    assert.deepEqual([error.status, error.message, error.reason], [500, 'HTTP status 500', ''])
  }
})

test('describeFailure: names the kind, the verb, the resource and a hint', () => {
  const kinds = [0, 401, 403, 429, 503].map((status) => describeFailure(new ApiError(status, 'why'), LIST_PODS))
  assert.deepEqual(
    kinds.map(({ kind }) => kind),
    ['unreachable', 'unauthenticated', 'forbidden', 'throttled', 'refused'],
  )
  for (const { message, hint } of kinds) {
    assert.match(message, /list pods/)
    assert.notEqual(hint, '')
  }
  const refused = new ApiError(
    403,
    'jobs.batch is forbidden: User "system:serviceaccount:a:b" cannot get resource "jobs"',
  )
  const { message, hint } = describeFailure(refused, { verb: 'get', resource: 'jobs', group: 'batch' })
  assert.equal(message, 'the API server does not allow system:serviceaccount:a:b to get jobs (403)')
  assert.equal(hint, 'Add this rule to its ClusterRole: apiGroups: ["batch"], resources: ["jobs"], verbs: ["get"].')
  assert.equal(describeFailure(new TypeError('odd'), LIST_PODS).kind, 'unreachable')
})
