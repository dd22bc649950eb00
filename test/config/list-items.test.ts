import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Filter } from '../../src/assemble/filter.ts'
import { Glob } from '../../src/config/glob.ts'
import {
  BROKER_ITEM,
  HEADER_NAME_ITEM,
  INTERFACE_ITEM,
  type ListItem,
  MEDIA_TYPE_ITEM,
  NAMESPACE_ITEM,
  PATH_ITEM,
  STATUS_ITEM,
  USER_AGENT_PREFIX_ITEM,
} from '../../src/config/list-items.ts'
import { loadConfig } from '../../src/config/load.ts'
import { type Config, configSchema } from '../../src/config/schema.ts'
import { InterceptorError } from '../../src/errors.ts'
import { RULE_HEADER, RULE_NONE, RULE_PATH, RULE_STATUS, RULE_USER_AGENT } from '../../src/ledger/reasons.ts'

const LISTS: [path: string, accepted: string[], rejected: string[]][] = [
  [
    'filter.contentTypes',
    ['application/json', 'application/*+json', '*/*', 'application/*', 'text/?ml', 'Application/VND.api+json'],
    [
      'json',
      '*',
      '*json',
      'application/json;charset=utf-8',
      '^application/json',
      'application/.*json',
      '~json/x',
      'a/b/c',
    ],
  ],
  [
    'filter.userAgentPrefixes',
    ['kube-probe', 'Mozilla/5.0 (X11; Linux x86_64)', 'Prometheus/'],
    ['kube-probe*', '*bot', '^kube', ' kube-probe', 'a\nb', ''],
  ],
  ['filter.requestHeaders', ['X-Debug', 'x_debug.1'], ['X-Debug-*', 'X-Debug: 1', ':path', '^X-Debug$', '']],
  [
    'filter.statuses',
    ['200', '4xx', '5XX', '101', '1xx', '999'],
    ['4*', '40x', '>=400', '400-499', '0xx', '99', '1000', '2', '100', '103', '*'],
  ],
  [
    'filter.paths',
    [
      '/',
      '/health*',
      '/actuator/**',
      '/users/?',
      '**/health',
      '/a/*/b',
      '/v1.0/x',
      '/~user',
      '/users/7:activate',
      '/ümläut',
      '/a=b',
    ],
    [
      'health',
      '*',
      '*/health',
      '*health',
      '~^/health',
      '^/health',
      '/health$',
      '/health/.*',
      '/api/.+/x',
      '/api/[0-9]+',
      '/users/{id}',
      '/users/:id',
      '/:id/x',
      '/(a|b)',
      '/a\\d',
      '/users?id=1',
      '/a#b',
      '/a b',
      'http://shop/a',
      '',
    ],
  ],
  ['filter.include.methods', ['GET', 'post', 'M-SEARCH', 'VERSION_CONTROL'], ['GET /', '*', '1', '']],
  [
    'filter.include.hosts',
    ['api', 'API.shop', '*.shop.svc.cluster.local', '10.0.0.1', '[fd00::1]'],
    ['api:80', 'http://api', 'a b', 'api/x', ''],
  ],
  ['filter.include.pods', ['api-7d4b9-x2x', 'api-*', '*', 'a.b'], ['Api', 'shop/api', '-a', '']],
  [
    'filter.include.workloads',
    ['api', 'Deployment/api', '*/api-*', 'Deployment/*'],
    ['deployment/api/x', 'Api', '/', ''],
  ],
  [
    'capture.interfaces',
    ['eth0', 'any', 'eth0.100', 'br-lan', 'veth12'],
    ['eth*', 'eth?', 'eth[01]', 'eth0@if3', 'a b', ''],
  ],
  [
    'targets.namespaces.include',
    ['shop', 'team-*', '*', 'team-?', 'a'],
    ['Shop', 'team_a', '/team-.*/', '-a', 'a-', 'team-[ab]', 'a'.repeat(64), ''],
  ],
  ['kafka.brokers', ['kafka', 'kafka:9092', '10.0.0.1:1'], ['kafka://a:1', 'a:0', 'a:70000', 'a:b', '']],
]

function problem(path: string, item: string): string | null {
  try {
    loadConfig({ env: {}, flags: [{ path, value: [item], name: '--set' }] })
    return null
  } catch (error) {
    assert.ok(error instanceof InterceptorError)
    assert.equal(error.exitCode, 2)
    return error.message
  }
}

for (const [path, accepted, rejected] of LISTS) {
  test(`${path}: accepts the documented forms`, () => {
    for (const item of accepted) assert.equal(problem(path, item), null)
  })

  test(`${path}: rejects other forms and names the accepted one`, () => {
    for (const item of rejected) {
      const message = problem(path, item)
      assert.ok(message !== null, `${JSON.stringify(item)} is accepted`)
      assert.match(message, /must be|can match no|write \*/, item)
      assert.ok(message.includes(JSON.stringify(item)), message)
    }
  })
}

const DEFAULTS = configSchema.parse({}).filter
const NO_RULES = {
  contentTypes: [],
  userAgentPrefixes: [],
  requestHeaders: [],
  statuses: [],
  paths: [],
  include: DEFAULTS.include,
}

const filterOf = (rules: Partial<Config['filter']>): Filter => new Filter({ ...NO_RULES, ...rules }, false)

/** A text that matches a pattern: every wildcard replaced by one character. */
const example = (pattern: string): string => pattern.replaceAll('**', 'x').replaceAll('*', 'x').replaceAll('?', 'x')

/** The text with the bytes around it that the rules may read. */
function padded(text: string) {
  const bytes = new TextEncoder().encode(text)
  const memory = new Uint8Array(bytes.length + 64)
  memory.set(bytes, 16)
  return { memory, view: new DataView(memory.buffer), at: 16, end: 16 + bytes.length }
}

/** Items that `item` accepts, built from its own pattern. */
const accepted = ({ pattern, clean = (text) => text, futile = () => null }: ListItem) =>
  fc
    .stringMatching(pattern)
    .map(clean)
    .filter((text) => pattern.test(text) && futile(text) === null)

test('list items: whatever is accepted can match', () => {
  fc.assert(
    fc.property(accepted(PATH_ITEM), (path) => {
      const target = path.startsWith('**') ? path.replace(/^\*\*/, '/x') : path
      const { memory, at, end } = padded(example(target))
      assert.equal(filterOf({ paths: [path] }).target(memory, at, end), RULE_PATH, path)
    }),
  )
  fc.assert(
    fc.property(accepted(MEDIA_TYPE_ITEM), (type) => {
      const { memory, view, at, end } = padded(example(type))
      assert.ok(filterOf({ contentTypes: [type] }).contentType(memory, view, at, end), type)
    }),
  )
  fc.assert(
    fc.property(accepted(HEADER_NAME_ITEM), (name) => {
      const { view, at, end } = padded(name)
      assert.equal(filterOf({ requestHeaders: [name] }).requestHeader(view, at, end - at), RULE_HEADER, name)
    }),
  )
  fc.assert(
    fc.property(accepted(USER_AGENT_PREFIX_ITEM), (prefix) => {
      const { memory, at, end } = padded(prefix)
      assert.equal(filterOf({ userAgentPrefixes: [prefix] }).userAgent(memory, at, end), RULE_USER_AGENT, prefix)
    }),
  )
  fc.assert(
    fc.property(accepted(NAMESPACE_ITEM), (pattern) =>
      assert.ok(new Glob(pattern).matchesText(example(pattern)), pattern),
    ),
  )
})

test('filter.statuses: matches exactly the accepted codes and classes', () => {
  fc.assert(
    fc.property(accepted(STATUS_ITEM), fc.integer({ min: 100, max: 999 }), (item, status) => {
      const matches = item.endsWith('xx') ? item[0] === String(status)[0] : item === String(status)
      assert.equal(filterOf({ statuses: [item] }).response(status, true), matches ? RULE_STATUS : RULE_NONE)
    }),
  )
})

test('list items: the defaults are accepted as they are', () => {
  const items: [ListItem, readonly string[]][] = [
    [MEDIA_TYPE_ITEM, DEFAULTS.contentTypes],
    [USER_AGENT_PREFIX_ITEM, DEFAULTS.userAgentPrefixes],
    [HEADER_NAME_ITEM, DEFAULTS.requestHeaders],
    [STATUS_ITEM, DEFAULTS.statuses],
    [PATH_ITEM, DEFAULTS.paths],
    [INTERFACE_ITEM, ['any']],
    [BROKER_ITEM, ['kafka:9092']],
  ]
  for (const [{ pattern, futile = () => null }, values] of items) {
    for (const value of values) assert.ok(pattern.test(value) && futile(value) === null, value)
  }
})
