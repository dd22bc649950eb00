import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
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
import { count } from '../../src/ledger/ledger.ts'
import { assemble } from '../support/assemble-harness.ts'
import { TcpScript } from '../support/tcp-script.ts'

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

interface Exchange {
  target?: string
  /** A field of the request, without its end. */
  field?: string
  status?: number
  contentType?: string
}

/** The counter, below `pairs.filtered`, of the rule that filters an exchange; null: no rule does. */
function ruleOf(rules: Partial<Config['filter']>, exchange: Exchange): string | null {
  const { target = '/', field = 'Host: a', status = 200, contentType = 'text/plain' } = exchange
  const encoded = (text: string): string => Buffer.from(text).toString('latin1')
  const script = new TcpScript().handshake().client(`GET ${encoded(target)} HTTP/1.1\r\n${encoded(field)}\r\n\r\n`)
  script.server(`HTTP/1.1 ${status} X\r\nContent-Type: ${encoded(contentType)}\r\nContent-Length: 0\r\n\r\n`).close()
  const { ledger } = assemble(script, { everything: false, filter: { ...NO_RULES, ...rules } })
  assert.equal(count(ledger, 'pairs.assembled'), 1, `${target} ${field} ${status} ${contentType}`)
  return (
    ['path', 'header', 'userAgent', 'status', 'contentType'].find(
      (name) => count(ledger, `pairs.filtered.${name}`) === 1,
    ) ?? null
  )
}

/** A text that matches a pattern: every wildcard replaced by one character. */
const example = (pattern: string): string => pattern.replaceAll('**', 'x').replaceAll('*', 'x').replaceAll('?', 'x')

/** Items that `item` accepts, built from its own pattern. */
const accepted = ({ pattern, clean = (text) => text, futile = () => null }: ListItem) =>
  fc
    .stringMatching(pattern)
    .map(clean)
    .filter((text) => pattern.test(text) && futile(text) === null)

test('list items: every accepted item can match', () => {
  fc.assert(
    fc.property(accepted(PATH_ITEM), (path) => {
      const target = path.startsWith('**') ? path.replace(/^\*\*/, '/x') : path
      assert.equal(ruleOf({ paths: [path] }, { target: example(target) }), 'path', path)
    }),
  )
  fc.assert(
    fc.property(accepted(MEDIA_TYPE_ITEM), (type) => {
      assert.equal(ruleOf({ contentTypes: [type] }, { contentType: example(type) }), null, type)
    }),
  )
  fc.assert(
    fc.property(accepted(HEADER_NAME_ITEM), (name) => {
      assert.equal(ruleOf({ requestHeaders: [name] }, { field: `${name}: 1` }), 'header', name)
    }),
  )
  fc.assert(
    fc.property(accepted(USER_AGENT_PREFIX_ITEM), (prefix) => {
      const field = `User-Agent: ${prefix}x`
      assert.equal(ruleOf({ userAgentPrefixes: [prefix] }, { field }), 'userAgent', prefix)
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
    fc.property(accepted(STATUS_ITEM), fc.integer({ min: 200, max: 999 }), (item, status) => {
      const matches = item.endsWith('xx') ? item[0] === String(status)[0] : item === String(status)
      assert.equal(ruleOf({ statuses: [item] }, { status }), matches ? 'status' : null)
    }),
  )
})

test('list items: the defaults are accepted unchanged', () => {
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
