import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { PageRates } from '../../src/admin/page-rate.ts'
import { PODS_PAGE, podTraffic } from '../../src/admin/pod-traffic.ts'
import { type AdminServer, serveAdmin } from '../../src/admin/server.ts'
import type { AgentState } from '../../src/admin/state.ts'
import { EXIT_USAGE, InterceptorError } from '../../src/errors.ts'
import { ASSEMBLE_COUNTERS } from '../../src/ledger/counters.ts'
import { allocateTraffic, TrafficBlock } from '../../src/ledger/traffic.ts'
import { createLogger } from '../../src/log/logger.ts'
import { agentState, block, observation, podInterface } from './agent-state.ts'
import { parseExposition, seriesValue } from './exposition-parser.ts'

async function serve(t: TestContext, look: () => AgentState = agentState, address = '127.0.0.1:0', rates?: PageRates) {
  const lines: string[] = []
  const log = createLogger({ level: 'info', form: 'json', write: (line) => lines.push(line) })
  const server = (await serveAdmin(address, look, log, rates)) as AdminServer
  t.after(() => server.close())
  return { server, lines }
}

interface Reply {
  status: number
  headers: NodeJS.Dict<string | string[]>
  body: string
}

function ask(url: string, method = 'GET', headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() })
    })
    call.on('error', reject)
    call.end()
  })
}

test('admin server: serves metrics, liveness and readiness', async (t) => {
  const { server } = await serve(t)
  const metrics = await ask(`${server.url}/metrics`)
  assert.equal(metrics.status, 200)
  assert.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(seriesValue(parseExposition(metrics.body), 'interceptor_buffer_limit_bytes'), 1000)
  for (const [path, end] of [
    ['/livez', 'livez check passed\n'],
    ['/healthz', 'livez check passed\n'],
    ['/readyz?verbose', 'readyz check passed\n'],
  ]) {
    const { status, body, headers } = await ask(server.url + path)
    assert.deepEqual([status, body.endsWith(end), headers['connection']], [200, true, 'close'], path)
  }
})

test('admin server: returns 503 and names the check that fails', async (t) => {
  const threads = [
    {
      role: 'ship',
      slot: 0,
      cpuSeconds: null,
      silentMs: 99_000,
      restarts: 0,
      state: 'ready' as const,
      crashLooping: false,
    },
  ]
  const { server } = await serve(t, () => agentState({ observation: observation({ threads }), discovery: null }))
  const live = await ask(`${server.url}/livez`)
  assert.deepEqual([live.status, live.body.includes('[-]thread/ship-0 failed')], [503, true])
  const ready = await ask(`${server.url}/readyz`)
  assert.deepEqual([ready.status, ready.body.includes('[-]discovery failed')], [503, true])
})

test('admin server: answers HEAD like GET, without the body', async (t) => {
  const { server } = await serve(t)
  const [get, head] = [await ask(`${server.url}/livez`), await ask(`${server.url}/livez`, 'HEAD')]
  assert.deepEqual([head.status, head.body], [200, ''])
  assert.equal(head.headers['content-length'], get.headers['content-length'])
})

test('admin server: returns 404 for other paths and 405 for other methods', async (t) => {
  const { server } = await serve(t)
  for (const path of ['/', '/metrics/', '/debug', '//metrics', '/%00']) {
    assert.equal((await ask(server.url + path)).status, 404, path)
  }
  const post = await ask(`${server.url}/metrics`, 'POST')
  assert.deepEqual([post.status, post.headers['allow']], [405, 'GET, HEAD'])
})

test('admin server: returns 500 and logs when a page fails, and serves the next one', async (t) => {
  let fails = true
  const { server, lines } = await serve(t, () => {
    if (fails) throw new Error('no state')
    return agentState()
  })
  assert.equal((await ask(`${server.url}/metrics`)).status, 500)
  assert.match(lines.join(''), /no state/)
  fails = false
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal((await ask(`${server.url}/metrics`)).status, 200)
})

test('admin server: rejects what is not HTTP, and headers that are too large', async (t) => {
  const { server } = await serve(t)
  const port = Number(new URL(server.url).port)
  const speak = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {})
    socket.end(text)
    await once(socket, 'close')
    return Buffer.concat(chunks).toString()
  }
  assert.match(await speak('\x16\x03\x01 not http\r\n\r\n'), /^HTTP\/1.1 400 /)
  assert.match(await speak(`GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1.1 431 /)
  assert.equal((await ask(`${server.url}/livez`)).status, 200)
})

/** Opens connections that never complete a request. */
class SlowClient {
  readonly #port: number
  readonly #sockets = new Set<Socket>()

  constructor(t: TestContext, url: string) {
    this.#port = Number(new URL(url).port)
    t.after(() => this.close())
  }

  get open(): number {
    return this.#sockets.size
  }

  async connect(count: number): Promise<void> {
    const sockets = Array.from({ length: count }, () => connect(this.#port, '127.0.0.1'))
    for (const socket of sockets) {
      this.#sockets.add(socket)
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
      socket.resume().write('GET /livez HTTP/1.1\r\nX-Slow: ')
    }
    await Promise.all(sockets.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])))
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** Probes like the kubelet. */
async function probe(url: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) assert.equal((await ask(`${url}/livez`)).status, 200)
}

/** @returns a function that returns the most pages that may have been rendered by then: one in 100 ms */
function mostPages(): () => number {
  const began = performance.now()
  return () => 1 + Math.ceil((performance.now() - began) / 100)
}

test('admin server: answers probes while a client of the same host holds slow connections', async (t) => {
  const { server } = await serve(t)
  const slow = new SlowClient(t, server.url)
  const began = performance.now()
  const rounds = 20
  for (let round = 0; round < rounds; round += 1) {
    await slow.connect(80)
    await probe(server.url, 5)
  }
  // The probes did not have to wait in each round until the server closes slow connections, which takes 3 s.
  assert.ok(performance.now() - began < rounds * 3000)
  // How many of the newest connections are still within their grace depends on the machine; this is the bound for all.
  assert.ok(slow.open <= 1024, `${slow.open} open`)
})

test('admin server: closes a connection that has not completed a request within seconds', async (t) => {
  const { server } = await serve(t)
  const slow = new SlowClient(t, server.url)
  await slow.connect(1)
  while (slow.open > 0) await new Promise((resolve) => setTimeout(resolve, 50))
})

test('admin server: answers one request of thousands that are pipelined, and probes meanwhile', async (t) => {
  let reads = 0
  const { server } = await serve(t, () => {
    reads += 1
    return agentState()
  })
  const clients = Array.from({ length: 8 }, async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    let text = ''
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        text += String(chunk)
      })
    socket.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3000))
    await once(socket, 'close')
    return text.match(/^HTTP\/1\.1 /gm)?.length
  })
  await probe(server.url, 20)
  for (const answers of await Promise.all(clients)) assert.ok(answers === undefined || answers <= 1, `${answers}`)
  assert.ok(reads <= 20 + 8, `${reads} pages rendered`)
})

test('admin server: answers every probe while clients of the same host ask for large pages without pause', async (t) => {
  const pods = Array.from({ length: 500 }, (_, i) => podInterface(i, `shop/cart-${i}`, { 'frames.seen': i }))
  const facts = { namespace: 'shop', hostNetwork: false, why: 'no mesh', isCaptured: true }
  const traffic = pods.map((of, i) => podTraffic({ ...facts, uid: `${i}`, name: `cart-${i}`, interfaces: [of] }))
  const look = () => agentState({ readPods: () => ({ pods: traffic, leftOut: 0 }) })
  // A slow machine might never ask for as many pages as the server's own rates allow.
  const { server } = await serve(t, look, '127.0.0.1:0', { perPeer: 20, total: 50 })
  const statuses = new Map<number, number>()
  let done = false
  const clients = Array.from({ length: 16 }, async (_, i) => {
    while (!done) {
      const { status, body } = await ask(`${server.url}/${['pods', 'metrics/pods'][i % 2]}`)
      assert.ok(status === 429 || body.length > 100_000)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  })
  await probe(server.url, 100)
  while (statuses.get(429) === undefined) await probe(server.url, 1)
  done = true
  await Promise.all(clients)
  assert.ok((statuses.get(200) ?? 0) > 0)
  let metrics = await ask(`${server.url}/metrics`)
  while (metrics.status === 429) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    metrics = await ask(`${server.url}/metrics`)
  }
  const refused = seriesValue(parseExposition(metrics.body), 'interceptor_admin_refused_total')
  assert.ok((refused ?? 0) >= statuses.get(429)!)
})

test('admin server: renders a page once for concurrent requests', async (t) => {
  let reads = 0
  const { server } = await serve(t, () => {
    reads += 1
    return agentState()
  })
  const most = mostPages()
  await Promise.all(Array.from({ length: 50 }, () => ask(`${server.url}/metrics`)))
  assert.ok(reads <= most(), `${reads} of 50`)
})

test('admin server: closes open connections with the server', async (t) => {
  const { server } = await serve(t)
  const slow = new SlowClient(t, server.url)
  await slow.connect(10)
  await server.close()
  while (slow.open > 0) await new Promise((resolve) => setImmediate(resolve))
})

test('admin server: a busy worker thread does not delay a scrape', async (t) => {
  const counters = block(ASSEMBLE_COUNTERS)
  const { server } = await serve(t, () => agentState({ observation: observation({ blocks: [counters] }) }))
  const workerData = { values: counters.values, index: ASSEMBLE_COUNTERS.index.segments }
  const worker = new Worker(new URL('./busy-thread.js', import.meta.url), { workerData })
  t.after(() => worker.terminate())
  await once(worker, 'message')
  const scrape = async () => {
    const { body } = await ask(`${server.url}/metrics`)
    return seriesValue(parseExposition(body), 'interceptor_segments_seen_total')
  }
  let before = await scrape()
  for (let grown = 0; grown < 3; ) {
    // Pages are sent, and rendered, only so often.
    await new Promise((resolve) => setTimeout(resolve, 100))
    const now = await scrape()
    assert.ok(now >= before)
    if (now > before) grown += 1
    before = now
  }
})

const problem = (address: string) =>
  serveAdmin(address, agentState, createLogger({ level: 'silent', form: 'json' })).then(
    () => assert.fail('it listens'),
    (error: unknown) => {
      assert.ok(error instanceof InterceptorError)
      return [error.exitCode, error.message]
    },
  )

test('admin server: reports why it cannot listen, with admin.address', async (t) => {
  const { server } = await serve(t)
  const taken = server.url.replace('http://', '')
  assert.deepEqual(await problem(taken), [1, `admin.address: ${taken} is in use by another program`])
  assert.deepEqual(await problem('192.0.2.1:9464'), [
    2,
    'admin.address: 192.0.2.1:9464 is not an address of this machine',
  ])
  const [code, message] = await problem('127.0.0.1:70000')
  assert.equal(code, EXIT_USAGE)
  assert.match(String(message), /^admin\.address: 127\.0\.0\.1:70000 is not host:port/)
})

test('admin server: an empty address serves nothing; an empty host listens on all addresses', async (t) => {
  const log = createLogger({ level: 'silent', form: 'json' })
  assert.equal(await serveAdmin('', agentState, log), null)
  const { server } = await serve(t, agentState, ':0')
  assert.equal((await ask(`http://127.0.0.1:${new URL(server.url).port}/livez`)).status, 200)
})

const hasIpv6 = Object.values(networkInterfaces()).some((of) => of?.some(({ address }) => address === '::1'))

test('admin server: accepts an IPv6 address in brackets', { skip: !hasIpv6 && 'no ::1 on this machine' }, async (t) => {
  const { server } = await serve(t, agentState, '[::1]:0')
  assert.match(server.url, /^http:\/\/\[::1\]:\d+$/)
  assert.equal((await ask(`${server.url}/livez`)).status, 200)
})

test('admin server: serves the traffic counts of each pod as JSON and as metrics', async (t) => {
  const interfaces = [{ ...podInterface(7, 'shop/cart-0', { 'frames.seen': 12 }), traffic: [allocateTraffic()] }]
  const { counts, serverNames } = new TrafficBlock(interfaces[0].traffic[0])
  counts[ASSEMBLE_COUNTERS.index.flowsSeen] = 3
  counts[ASSEMBLE_COUNTERS.index.protocolTls] = 3
  serverNames.add(Buffer.from('<b>.example'), 0, 11)
  const facts = { uid: 'u', namespace: 'shop', name: 'cart-0', hostNetwork: false, why: 'no mesh', isCaptured: true }
  const readPods = () => ({ pods: [podTraffic({ ...facts, interfaces })], leftOut: 2 })
  const { server } = await serve(t, () => agentState({ readPods }))
  const { status, headers, body } = await ask(`${server.url}/pods`)
  assert.deepEqual([status, headers['content-type']], [200, 'application/json'])
  const page = PODS_PAGE.parse(JSON.parse(body))
  assert.deepEqual([page.node, page.leftOut, page.pods[0].connections], ['n1', 2, { seen: 3, tls: 3 }])
  assert.equal(page.pods[0].advice, '3 connections, all TLS to <b>.example: plaintext is not on eth0')
  const metrics = parseExposition((await ask(`${server.url}/metrics/pods`)).body)
  const labels = { namespace: 'shop', pod: 'cart-0' }
  assert.equal(seriesValue(metrics, 'interceptor_pod_frames_total', labels), 12)
  assert.equal(seriesValue(metrics, 'interceptor_pod_connections_total', { ...labels, protocol: 'tls' }), 3)
  assert.equal(seriesValue(metrics, 'interceptor_pods_left_out'), 2)
  assert.ok(!(await ask(`${server.url}/metrics`)).body.includes('interceptor_pod_'), 'only on demand')
})

test('admin server: serves the ledger as JSON, interfaces that are being captured included', async (t) => {
  const interfaces = [
    podInterface(1, 'shop/cart-0', { 'frames.seen': 3 }),
    podInterface(2, 'shop/cart-1', { 'frames.seen': 4 }),
  ]
  const { server } = await serve(t, () => agentState({ observation: observation({ interfaces }) }))
  const { status, headers, body } = await ask(`${server.url}/ledger`)
  assert.deepEqual([status, headers['content-type']], [200, 'application/json'])
  const ledger = JSON.parse(body) as { frames: { seen: number }; pairs: { kept: number } }
  assert.deepEqual([ledger.frames.seen, ledger.pairs.kept], [7, 0])
})
