/** The filter rules and size limits at their boundaries, through the whole assembler. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { count } from '../../src/ledger/ledger.ts'
import { PairSelector } from '../../src/select/selector.ts'
import { AssembleHarness, type AssembleRun, assemble, type HarnessOptions } from '../support/assemble-harness.ts'
import { TcpScript } from '../support/tcp-script.ts'

interface Exchange {
  method?: string
  target?: string
  /** Lines of the request's and of the response's head. */
  asked?: string[]
  answered?: string[]
  status?: number
  requestBody?: string
  responseBody?: string
}

const JSON_TYPE = 'Content-Type: application/json'

function run(exchange: Exchange, options: HarnessOptions = {}): AssembleRun {
  const { method = 'GET', target = '/', asked = [], answered = [JSON_TYPE], status = 200 } = exchange
  const { requestBody = '', responseBody = '' } = exchange
  const lines = (first: string, fields: string[], body: string): string =>
    [first, ...fields, `Content-Length: ${body.length}`, '', body].join('\r\n')
  const script = new TcpScript({ segmentBytes: 60_000 }).handshake()
  script.client(lines(`${method} ${target} HTTP/1.1`, asked, requestBody))
  script.server(lines(`HTTP/1.1 ${status} X`, answered, responseBody)).close()
  return assemble(script, { everything: false, ...options })
}

/** Asserts which rule filters the exchange; null: it is kept. */
function ruled(exchange: Exchange, rule: string | null, options?: HarnessOptions): void {
  const { ledger, pairs } = run(exchange, options)
  const what = JSON.stringify(exchange).slice(0, 200)
  assert.equal(pairs.length, rule === null ? 1 : 0, what)
  assert.equal(count(ledger, 'pairs.assembled'), 1, what)
  assert.equal(count(ledger, 'pairs.filtered'), rule === null ? 0 : 1, what)
  if (rule !== null) assert.equal(count(ledger, `pairs.filtered.${rule}`), 1, `${what}: not ${rule}`)
}

describe('filter: content types', () => {
  test('parameters, case and white space are ignored', () => {
    for (const type of [
      'application/json',
      'Application/JSON ; charset=utf-8',
      'APPLICATION/JSON;charset=utf-8',
      '  application/json\t',
      'application/x-www-form-urlencoded',
      'application/x-www-form-urlencoded; charset=UTF-8',
      // Line folds.
      'application/json\r\n ; charset=utf-8',
      '\r\n\tapplication/json \r\n\t;charset=utf-8',
    ]) {
      ruled({ answered: [`Content-Type: ${type}`] }, null)
      ruled({ answered: [`cOnTeNt-TyPe:${type}`] }, null)
    }
  })

  test('types that resemble a listed one do not match', () => {
    for (const type of [
      'application/problem+json',
      'application/json-patch+json',
      'application/jsonx',
      'application/jso',
      'xapplication/json',
      'text/html; q=application/json',
      'application/json, text/html',
      'application/json\r\n text/html',
      'application/json\x13',
      'json',
      '',
      ';',
    ]) {
      ruled({ answered: [`Content-Type: ${type}`] }, 'contentType')
    }
  })

  test('either message suffices, and one of them must match', () => {
    const html = ['Content-Type: text/html']
    ruled({ asked: [JSON_TYPE], answered: html }, null)
    ruled({ asked: html, answered: [JSON_TYPE] }, null)
    ruled({ asked: html, answered: html }, 'contentType')
    ruled({ asked: [JSON_TYPE], answered: [] }, null)
    ruled({ asked: [], answered: [] }, 'contentType')
  })

  test('a wildcard matches any text; parameters and case are ignored', () => {
    const options = { filter: { ...defaultConfig().filter, contentTypes: ['Application/*+json', 'text/html'] } }
    for (const type of ['application/problem+json', 'APPLICATION/vnd.api+JSON; charset=utf-8', 'text/html']) {
      ruled({ answered: [`Content-Type: ${type}`] }, null, options)
    }
    for (const type of ['application/json', 'application/problem+json-seq', 'text/plain', 'text/html+json']) {
      ruled({ answered: [`Content-Type: ${type}`] }, 'contentType', options)
    }
    const any = { filter: { ...defaultConfig().filter, contentTypes: ['*/*'] } }
    ruled({ answered: ['Content-Type: image/png'] }, null, any)
    ruled({ answered: [] }, 'contentType', any)
  })

  test('the list is configurable, and an empty one keeps every type', () => {
    const { filter } = defaultConfig()
    ruled({ answered: ['Content-Type: text/html'] }, null, { filter: { ...filter, contentTypes: ['text/HTML'] } })
    ruled({}, 'contentType', { filter: { ...filter, contentTypes: ['text/html'] } })
    ruled({ answered: [] }, null, { filter: { ...filter, contentTypes: [] } })
  })
})

describe('filter: statuses', () => {
  test('301, 308, 4xx and 5xx are filtered', () => {
    for (const status of [301, 308, 400, 401, 404, 418, 499, 500, 503, 599]) ruled({ status }, 'status')
  })

  test('adjacent statuses are kept', () => {
    for (const status of [200, 201, 299, 300, 302, 303, 304, 307, 309, 399, 600, 999]) ruled({ status }, null)
  })

  test('the list is configurable', () => {
    const options = { filter: { ...defaultConfig().filter, statuses: ['2XX', '404'] } }
    ruled({ status: 200 }, 'status', options)
    ruled({ status: 404 }, 'status', options)
    ruled({ status: 500 }, null, options)
  })
})

describe('filter: paths', () => {
  test('are compared without query, fragment and trailing slash', () => {
    for (const path of ['/metrics', '/healthz', '/api/health', '/api/v2/alive', '/api/v2/detect']) {
      for (const target of [
        path,
        `${path}/`,
        `${path}?x`,
        `${path}/?x=/y`,
        `${path}#f`,
        `http://a:1${path}?x`,
        `HTTPS://a${path}/`,
      ]) {
        ruled({ target }, 'path')
      }
    }
  })

  test('paths that resemble a listed one are kept', () => {
    for (const target of [
      '/metricsx',
      '/metric',
      '/metrics//',
      '/metrics/x',
      '/Metrics',
      '/a/metrics',
      '//metrics',
      '/?/metrics',
      '/api/health/x',
      'http://metrics/',
      'http://a/b/metrics',
      '*',
    ]) {
      ruled({ target }, null)
    }
  })

  test('a wildcard matches within a component, two match across components', () => {
    const options = { filter: { ...defaultConfig().filter, paths: ['/actuator/**', '/health*/', '/v?/ping'] } }
    for (const target of [
      '/actuator',
      '/actuator/health/live?x=1',
      'http://a/actuator/',
      '/healthz#f',
      '/health/',
      '/v1/ping',
    ]) {
      ruled({ target }, 'path', options)
    }
    for (const target of ['/actuators', '/a/actuator/x', '/health/live', '/v12/ping', '/?/actuator', '/metrics']) {
      ruled({ target }, null, options)
    }
  })

  test('a root path is configurable and matches in every form', () => {
    const options = { filter: { ...defaultConfig().filter, paths: ['/'] } }
    for (const target of ['/', '/?a', 'http://a/', 'http://a/?b']) ruled({ target }, 'path', options)
    ruled({ target: '/a' }, null, options)
  })
})

describe('filter: request headers', () => {
  test('user agents that begin with kube-probe are filtered', () => {
    ruled({ asked: ['User-Agent: kube-probe/1.29'] }, 'userAgent')
    ruled({ asked: ['user-agent:kube-probe'] }, 'userAgent')
    ruled({ asked: ['User-Agent: Kube-Probe/1.29'] }, null)
    ruled({ asked: ['User-Agent: curl kube-probe'] }, null)
    ruled({ asked: ['X-User-Agent: kube-probe/1.29'] }, null)
    ruled({ answered: [JSON_TYPE, 'User-Agent: kube-probe/1.29'] }, null)
  })

  test('X-Soveren-Request is filtered in any case and with any value', () => {
    for (const name of ['X-Soveren-Request', 'x-soveren-request', 'X-SOVEREN-REQUEST']) {
      ruled({ asked: [`${name}: 1`] }, 'header')
      ruled({ asked: [`${name}:`] }, 'header')
    }
    ruled({ asked: ['X-Soveren-Requests: 1'] }, null)
    ruled({ asked: ['X-Soveren-Reques: 1'] }, null)
    ruled({ answered: [JSON_TYPE, 'X-Soveren-Request: 1'] }, null)
  })

  test('the lists are configurable, and may name fields that other rules read', () => {
    const filter = {
      ...defaultConfig().filter,
      requestHeaders: ['Content-Type', 'a'],
      userAgentPrefixes: ['x', 'curl/'],
    }
    ruled({ asked: [JSON_TYPE] }, 'header', { filter })
    ruled({ asked: ['A: 1'] }, 'header', { filter })
    ruled({ asked: ['User-Agent: curl/8'] }, 'userAgent', { filter })
    ruled({ asked: ['User-Agent: kube-probe'] }, null, { filter })
  })
})

describe('filter: each pair is counted under one rule', () => {
  test('the first of userAgent or header, path, status, contentType', () => {
    const all = {
      target: '/metrics',
      status: 500,
      answered: [],
      asked: ['User-Agent: kube-probe', 'X-Soveren-Request: 1'],
    }
    ruled(all, 'userAgent')
    ruled({ ...all, asked: ['X-Soveren-Request: 1'] }, 'header')
    ruled({ ...all, asked: [] }, 'path')
    ruled({ ...all, asked: [], target: '/' }, 'status')
    ruled({ ...all, asked: [], target: '/', status: 200 }, 'contentType')
  })

  test('with all rules disabled, only the size limits apply', () => {
    const options = { everything: true }
    ruled({ target: '/metrics', status: 500, answered: [], asked: ['User-Agent: kube-probe'] }, null, options)
  })
})

describe('filter: include', () => {
  const { filter } = defaultConfig()
  const only = (lists: Partial<typeof filter.include>, everything = false): HarnessOptions => ({
    everything,
    filter: { ...filter, statuses: [], include: { ...filter.include, ...lists } },
  })

  test('each list filters what is not on it, whatever else is disabled', () => {
    const exchange = { method: 'PUT', target: '/api/a?b', asked: ['hOsT: shop.local:80'], status: 503 }
    const cases: [Parameters<typeof only>[0], string | null][] = [
      [{ methods: ['PUT'], paths: ['/api/**'], hosts: ['*.local'], statuses: ['5xx'] }, null],
      [{ methods: ['PU', 'PUTS'] }, 'include'],
      [{ paths: ['/api'] }, 'include'],
      [{ hosts: ['shop'] }, 'include'],
      [{ statuses: ['200'] }, 'include'],
      [{ namespaces: ['*'] }, 'include'],
      [{ minLatency: 1000 }, 'include'],
      [{ minLatency: 0.001 }, null],
    ]
    for (const [lists, rule] of cases) {
      for (const everything of [true, false]) ruled(exchange, rule, only(lists, everything))
    }
  })

  test('a request without a Host field is on no list of hosts', () => {
    ruled({ asked: ['X-Host: shop.local', 'Hosts: shop.local'] }, 'include', only({ hosts: ['*'] }))
    ruled({ asked: ['Host: shop.local'] }, null, only({ hosts: ['*'] }))
  })

  test('an excluding rule takes precedence over a list', () => {
    ruled({ target: '/metrics' }, 'path', only({ paths: ['/api'] }))
    ruled({ asked: ['User-Agent: kube-probe/1'] }, 'userAgent', only({ hosts: ['a'] }))
    ruled({ answered: [] }, 'contentType', only({ statuses: ['201'] }))
  })

  test('the body of a request that no list includes is not held', () => {
    const script = new TcpScript({ segmentBytes: 1000 }).handshake()
    script.client(`POST /b HTTP/1.1\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(3000)}`)
    const held = (paths: string[]): number => {
      const harness = new AssembleHarness(only({ paths }, true)).script(script)
      const bytes = harness.assembler.heldBytes
      harness.finish()
      return bytes
    }
    assert.ok(held(['/b']) > 0)
    assert.equal(held(['/a']), 0)
  })
})

describe('filter: selection', () => {
  test('a pair that the selector rejects is filtered, not kept', async () => {
    const selector = await PairSelector.create({ grep: ['wanted'], where: null })
    ruled({ responseBody: '{"wanted":1}' }, null, { everything: true, selector })
    ruled({ responseBody: '{"other":1}' }, 'selection', { everything: true, selector })
  })
})

describe('filter: sizes', () => {
  const limit = 1_048_576
  const fit = (target: number, head: number): string => 'x'.repeat(target - head)
  const sizes = (exchange: Exchange): [number, number] => {
    const { pairs } = run(exchange, { messageBytes: 4 * limit, pairBytes: 8 * limit, poolBytes: 32 * limit })
    return [pairs[0].request.wireSize, pairs[0].response.wireSize]
  }
  /** An exchange whose messages have exactly these wire sizes, both with lengths of seven digits. */
  function sized(request: number, response: number): Exchange {
    const [asked, answered] = sizes({ method: 'POST', requestBody: 'x'.repeat(limit), responseBody: 'x'.repeat(limit) })
    return {
      method: 'POST',
      requestBody: fit(request, asked - limit),
      responseBody: fit(response, answered - limit),
    }
  }

  test('a message of exactly the limit is kept; one byte more is dismissed', () => {
    const options = { pairBytes: 4 * limit, poolBytes: 16 * limit }
    assert.equal(run(sized(limit + 50, limit + 50), { ...options, messageBytes: limit + 50 }).pairs.length, 1)
    for (const exchange of [sized(limit + 51, limit + 50), sized(limit + 50, limit + 51)]) {
      const { pairs, ledger } = run(exchange, { ...options, messageBytes: limit + 50 })
      assert.equal(pairs.length, 0)
      assert.equal(count(ledger, 'requests.abandoned.oversize'), 1)
    }
  })

  test('the default limits are 1 MiB', () => {
    const config = defaultConfig()
    assert.equal(config.limits.messageBytes, limit)
    assert.equal(config.limits.pairBytes, limit)
  })

  test('a pair of exactly the limit is kept; one byte more is filtered', () => {
    const options = { messageBytes: 2 * limit, pairBytes: 2 * limit + 200, poolBytes: 16 * limit }
    ruled(sized(limit + 100, limit + 100), null, options)
    ruled(sized(limit + 100, limit + 101), 'pairBytes', options)
    ruled(sized(limit + 101, limit + 100), 'pairBytes', options)
  })

  test('a filtered pair is not subject to the limit of pairs, but its messages are subject to theirs', () => {
    const options = { messageBytes: limit + 100, pairBytes: limit + 200, poolBytes: 16 * limit }
    ruled({ ...sized(limit + 100, limit + 100), status: 500 }, 'status', options)
    const { ledger } = run({ ...sized(limit + 100, limit + 101), status: 500 }, options)
    assert.equal(count(ledger, 'requests.abandoned.oversize'), 1)
  })
})
