import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { EXIT_RUNTIME, EXIT_USAGE, InterceptorError } from '../../src/errors.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { FilteredCounts } from '../../src/ui/filtered-counts.ts'
import type { StreamMessage, UiError } from '../../src/ui/protocol.ts'
import { serveUi } from '../../src/ui/server.ts'
import { samplePair } from '../pair/samples.ts'
import { type ServedUi, serveTraffic } from './support.ts'

const ask = ({ base, token }: ServedUi, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(base + path, { headers: { authorization: `Bearer ${token}` }, ...init })

test('ui server: serves the page to anyone, and data only with the token', async (t) => {
  const ui = await serveTraffic(t, { pairs: [samplePair()] })
  const page = await fetch(`${ui.base}/`)
  assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8'])
  for (const path of ['/api/state', '/api/stream', '/api/pairs/0', '/api/har', '/api/ledger', '/nothing']) {
    for (const authorization of ['', 'Bearer wrong', `Bearer ${ui.token}x`]) {
      const response = await fetch(ui.base + path, { headers: { authorization } })
      assert.equal(response.status, 401, path)
      assert.doesNotMatch(await response.text(), /users/)
    }
  }
  assert.equal((await ask(ui, '/api/state')).status, 200)
  assert.equal((await ask(ui, '/nothing')).status, 404)
})

test('ui server: every response has the content security policy, and no other site may read it', async (t) => {
  const ui = await serveTraffic(t)
  for (const path of ['/', '/page.js', '/page.css', '/licenses.txt', '/api/state', '/api/pairs/7']) {
    const { headers } = await ask(ui, path)
    assert.match(
      headers.get('content-security-policy') ?? '',
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    )
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('access-control-allow-origin'), null)
  }
})

test('ui server: rejects methods other than GET, and names that a foreign DNS server may have resolved', async (t) => {
  const ui = await serveTraffic(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
    assert.equal((await ask(ui, '/api/state', { method })).status, 405, method)
  }
  const status = await new Promise((resolve, reject) => {
    const headers = { host: 'evil.test', authorization: `Bearer ${ui.token}` }
    const call = httpRequest(`${ui.base}/api/state`, { headers }, (response) => resolve(response.resume().statusCode))
    call.on('error', reject).end()
  })
  assert.equal(status, 421)
})

test('ui server: serves a held pair in full, as curl and as HAR', async (t) => {
  const ui = await serveTraffic(t, { pairs: [samplePair()] })
  const pair = (await (await ask(ui, '/api/pairs/0')).json()) as { request: { body: string } }
  assert.equal(pair.request.body, '{"a":1}')
  assert.match(await (await ask(ui, '/api/pairs/0/curl')).text(), /^# POST .*\ncurl 'http:\/\/api\/users\?id=1'/)
  for (const path of ['/api/pairs/0/har', '/api/har', '/api/har?where=response.status==200']) {
    const { log } = (await (await ask(ui, path)).json()) as { log: { entries: unknown[] } }
    assert.equal(log.entries.length, 1, path)
  }
  const { log } = (await (await ask(ui, '/api/har?where=response.status==500')).json()) as {
    log: { entries: unknown[] }
  }
  assert.equal(log.entries.length, 0)
  for (const path of ['/api/pairs/1', '/api/pairs/-1', '/api/pairs/0/text', '/api/pairs/99999999999999999']) {
    assert.equal((await ask(ui, path)).status, 404, path)
  }
})

test('ui server: reports an invalid filter with its column', async (t) => {
  const ui = await serveTraffic(t)
  for (const path of ['/api/check', '/api/stream', '/api/har']) {
    const response = await ask(ui, `${path}?where=response.stats == 1`)
    const { message, hint } = (await response.json()) as UiError
    assert.equal(response.status, 400)
    assert.match(message, /column 10: .*did you mean response\.status/)
    assert.match(hint ?? '', /\^$/)
  }
})

test('ui server: holds one batch for a page that stops reading, and reports what it missed', async (t) => {
  const ui = await serveTraffic(t, { kind: 'live', bounds: { pairs: 1000, bytes: 1e9 } })
  const long = 'x'.repeat(290)
  const pair = packPair(samplePair({ request: { target: `/${long}`, headers: [['Host', long]] } }))
  const socket = connect({ port: Number(new URL(ui.base).port), host: '127.0.0.1' })
  t.after(() => socket.destroy())
  socket.pause()
  socket.write(`GET /api/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ui.token}\r\n\r\n`)
  // 16 MB of rows in total: more than the kernel's buffers and the store can hold.
  for (let batch = 0; batch < 40; batch += 1) {
    for (let number = 0; number < 500; number += 1) ui.traffic.add(pair)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  let [rows, skipped, rest] = [0, 0, '']
  for await (const chunk of socket) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines.filter((one) => one.startsWith('{'))) {
      const message = JSON.parse(line) as StreamMessage
      if (message.t !== 'rows') continue
      rows += message.rows.length
      skipped = message.skipped
    }
    if (rows + skipped === 20_000) break
  }
  assert.ok(skipped > 0)
  assert.equal(rows + skipped, 20_000)
})

test('ui server: rejects an address that other machines can reach, and reports a port that is in use', async (t) => {
  const ui = await serveTraffic(t)
  const { host } = new URL(ui.base)
  const filtered = new FilteredCounts(ui.traffic)
  const data = { traffic: ui.traffic, filtered, source: ui.source, select: async () => null }
  const log = { debug() {}, info() {}, warn() {}, error() {}, log() {}, flush() {} }
  const failureOf = async (listen: string): Promise<InterceptorError> => {
    const error = await serveUi({ listen, allowRemote: false, data, log }).then(
      (server) => server.close(),
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof InterceptorError, listen)
    return error
  }
  for (const listen of ['0.0.0.0:0', ':0', '[::]:0', '192.0.2.1:1', 'example.test:80', 'x', '']) {
    assert.equal((await failureOf(listen)).exitCode, EXIT_USAGE, listen)
  }
  const taken = await failureOf(host)
  assert.equal(taken.exitCode, EXIT_RUNTIME)
  assert.match(taken.message, new RegExp(`--listen: ${host} is in use`))
  assert.match(taken.hint ?? '', /--listen 127\.0\.0\.1:0/)
})
