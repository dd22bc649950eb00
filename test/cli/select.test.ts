import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { selectFlags, selectionOf } from '../../src/cli/select.ts'
import { loadConfig } from '../../src/config/load.ts'
import { EXIT_USAGE } from '../../src/errors.ts'
import { run } from './support.ts'

const SHOP = fileURLToPath(new URL('../../../examples/shop.pcap.gz', import.meta.url))

const filterOf = (flags: Parameters<typeof selectFlags>[0]) =>
  loadConfig({ env: {}, flags: selectFlags(flags) }).config.filter

test('select: options set the lists of filter.include', () => {
  const { include, statuses } = filterOf({
    method: ['get,post', 'PUT'],
    host: ['*.shop'],
    workload: ['Deployment/api'],
    minLatency: '200ms',
  })
  assert.deepEqual(include.methods, ['GET', 'POST', 'PUT'])
  assert.deepEqual([include.hosts, include.workloads, include.minLatency], [['*.shop'], ['Deployment/api'], 200])
  assert.ok(statuses.includes('5xx'))
})

test('select: --status and --path replace the rules about status and path', () => {
  const { include, statuses, paths } = filterOf({ status: ['5xx,404'], path: ['/metrics'] })
  assert.deepEqual([include.statuses, statuses], [['5xx', '404'], []])
  assert.deepEqual([include.paths, paths], [['/metrics'], []])
})

test('select: an invalid expression is reported before anything is read', async () => {
  await assert.rejects(selectionOf({ where: 'response.stats == 1' }), /column 10/)
  assert.deepEqual(await selectionOf({}), {})
  assert.deepEqual(await selectionOf({ grep: ['a'] }), { selection: { grep: ['a'], where: null } })
})

test('select: values that no pair or every pair has are wrong usage, and the message says what is valid', async () => {
  for (const [option, value, valid] of [
    ['--status', '404,6xx', /a status such as 301, or a class of statuses from 1xx to 5xx/],
    ['--grep', '', /must not be empty/],
    ['--fields', 'qqqqqqqq', /There is no field qqqqqqqq\.$/m],
  ] as const) {
    const { code, stdout, stderr } = await run(['read', option, value, SHOP])
    assert.deepEqual([code, stdout], [EXIT_USAGE, ''], stderr)
    assert.match(stderr, valid)
  }
  assert.equal((await run(['read', '--status', '999', SHOP])).code, 0)
})

test('read: --path, --status and --where print the matching pairs and count the others', async () => {
  const args = ['read', '--path', '/api/**', '--status', '5xx', '--where', 'request.method == "POST"', SHOP]
  const { code, stdout, stderr } = await run(args)
  assert.equal(code, 0)
  assert.match(stdout, /^\S+ +\S+ → +\S+ +POST +\/api\/payments +500 [^\n]*\n$/)
  assert.match(stderr, /^1 pair shown; 50 pairs filtered \(include \d+, userAgent 9, contentType 1\)\n$/)
})

test('read: does not suggest --all for pairs that a selection filtered', async () => {
  const { stderr } = await run(['read', '--all', '-q', '--summary', '-', '-o', 'none', '--grep', 'no such text', SHOP])
  const { pairs } = JSON.parse(stderr) as {
    pairs: { filtered: Record<string, number>; kept: number; assembled: number }
  }
  assert.equal(pairs.kept, 0)
  assert.equal(pairs.filtered['selection'], pairs.assembled)
  const result = await run([
    'read',
    '--method',
    'DELETE',
    '--set',
    'filter.contentTypes=',
    '--set',
    'filter.statuses=',
    SHOP,
  ])
  assert.doesNotMatch((await run(['read', '--method', 'BREW', '--all', SHOP])).stderr, /--all/)
  assert.match(result.stderr, /include/)
})

test('read and capture: selecting pods is an error, because no pair could match', async () => {
  for (const args of [
    ['read', SHOP],
    ['capture', '-i', 'lo'],
    ['top', SHOP],
    ['ui', SHOP],
  ]) {
    const { code, stderr } = await run([...args, '--workload', 'Deployment/api'])
    assert.equal(code, 2)
    assert.match(stderr, /^interceptor: filter\.include\.workloads \(--workload\) selects pods, but pairs from /)
  }
})
