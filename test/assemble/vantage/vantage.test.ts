import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { defaultConfig } from '../../../src/config/load.ts'
import type { AddressEntry, EndpointPod } from '../../../src/pair/endpoint-pod.ts'
import type { Pair } from '../../../src/pair/pair.ts'
import type { InterfaceInfo, VantagePoint } from '../../../src/target/interface-info.ts'
import { AssembleHarness, type HarnessOptions } from '../../support/assemble-harness.ts'
import { type Endpoint, encodeFrames, type Frame } from '../../support/tcp-frames.ts'
import { START_MICROS, TcpScript } from '../../support/tcp-script.ts'
import { vantagePoint } from '../../support/vantage-point.ts'

const POLICY = { keep: 'server', clusterNetworks: ['10.0.0.0/8', 'fd00::/8'] } as const

const pod = (name: string, more: Partial<EndpointPod> = {}): EndpointPod => ({
  identity: {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    workload: { kind: 'Deployment', name: 'api' },
    labels: { app: name, 'app.kubernetes.io/part-of': 'shop' },
  },
  container: null,
  containersByPort: {},
  ...more,
})

const point = (shown: VantagePoint, name = 'eth0'): InterfaceInfo => ({
  name,
  vantage: 'host',
  mesh: null,
  domain: 1,
  vantagePoint: shown,
})

const at = (address: string, port = 8080): Endpoint => ({ address, port })
const CLIENT = at('10.0.0.5', 51234)
const SERVER = at('10.0.0.9')

const exchange = (host = 'api', startMicros = START_MICROS): TcpScript =>
  new TcpScript({ startMicros })
    .handshake()
    .client(`GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    .server('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')

interface Ends {
  client?: Endpoint
  server?: Endpoint
}

/** One exchange captured at one capture point. */
function see(
  shown: VantagePoint,
  { client = CLIENT, server = SERVER }: Ends,
  options: HarnessOptions = {},
  host?: string,
) {
  const harness = new AssembleHarness({ interfaces: [point(shown)], ...POLICY, ...options })
  const { pairs } = harness.script(exchange(host), { client, server }).finish()
  return { pair: pairs[0], count: (path: string) => harness.count(path) }
}

const names = ({ client, server }: Pair) => [client.pod?.name ?? null, server.pod?.name ?? null]

suite('vantage: the external interface of a pod in a mesh', () => {
  const bypass = {
    inbound: [{ first: 8080, last: 8081 }],
    outbound: [{ first: 3306, last: 3306 }],
    outboundNetworks: ['198.51.100.0/24'],
  }
  const shown = vantagePoint({ pod: pod('api-1'), addresses: ['10.0.0.9'], bypass })
  const own = at('10.0.0.9', 4000)

  test('keeps requests to a port that bypasses the proxy', () => {
    assert.equal(see(shown, {}).pair?.capture.vantage, 'server')
  })

  test('filters requests to any other port, even from a port that bypasses the proxy outbound', () => {
    for (const client of [CLIENT, at('10.0.0.5', 3306)]) {
      const { pair, count } = see(shown, { client, server: at('10.0.0.9', 9090) })
      assert.deepEqual([pair, count('flows.leftOut.view')], [undefined, 1])
    }
  })

  test('keeps its own requests to ports and networks that bypass the proxy', () => {
    for (const server of [at('203.0.113.9', 3306), at('198.51.100.7', 80)]) {
      assert.equal(see(shown, { client: own, server }).pair?.capture.vantage, 'client')
    }
  })

  test('filters all of its other requests, even to a port that bypasses the proxy inbound', () => {
    assert.equal(see(shown, { client: own, server: at('203.0.113.9', 8080) }).pair, undefined)
  })
})

suite('vantage: filter.include about pods', () => {
  const shown = vantagePoint({ pod: pod('api-1'), addresses: ['10.0.0.9'] })
  const { filter } = defaultConfig()

  test('keeps pairs with at least one listed endpoint, and counts the others', () => {
    for (const [lists, kept] of [
      [{ namespaces: ['sh*'], workloads: ['Deployment/api'] }, 1],
      [{ pods: ['api-?'] }, 1],
      [{ namespaces: ['web'] }, 0],
      [{ workloads: ['web'] }, 0],
    ] as [Partial<typeof filter.include>, number][]) {
      const { pair, count } = see(shown, {}, { filter: { ...filter, include: { ...filter.include, ...lists } } })
      assert.deepEqual([pair === undefined, count('pairs.filtered.include')], [kept === 0, 1 - kept])
    }
  })
})

suite('vantage: a pod without a name', () => {
  const identity = { name: null, namespace: null, uid: 'u1', workload: null, labels: {} }

  test('is identified by its uid and its container’s id', () => {
    const unnamed = { identity, container: 'c1', containersByPort: { 9090: 'c2' } }
    const shown = vantagePoint({ pod: unnamed, addresses: ['10.0.0.9'] })
    const { pair } = see(shown, {})
    assert.deepEqual(pair?.server.pod, { ...identity, container: 'c1' })
    assert.equal(see(shown, { server: at('10.0.0.9', 9090) }).pair?.server.pod?.container, 'c2')
  })
})

suite('vantage: a pod’s interface', () => {
  const shown = vantagePoint({ pod: pod('api-1'), addresses: ['10.0.0.9', 'fd00::9'] })

  test('with its own address as the server: the pair is kept, and named', () => {
    const { pair } = see(shown, {})
    assert.equal(pair?.capture.vantage, 'server')
    assert.deepEqual(pair.server.pod, {
      name: 'api-1',
      namespace: 'shop',
      uid: 'uid-api-1',
      workload: { kind: 'Deployment', name: 'api' },
      container: '',
      labels: { app: 'api-1', 'app.kubernetes.io/part-of': 'shop' },
    })
    assert.equal(pair.client.pod, null)
  })

  test('with IPv6 too', () => {
    const { pair } = see(shown, { client: at('fd00::5', 5), server: at('fd00::9') })
    assert.deepEqual(names(pair), [null, 'api-1'])
  })

  test('with its own address as the client and a server inside the cluster: the pair is filtered and counted', () => {
    const { pair, count } = see(shown, { client: at('10.0.0.9', 4000), server: at('10.9.9.9') })
    assert.equal(pair, undefined)
    assert.equal(count('flows.leftOut.view'), 1)
    assert.equal(count('messages.requests'), 0)
  })

  test('with a server outside the cluster: the client’s vantage is kept', () => {
    const { pair } = see(shown, { client: at('10.0.0.9', 4000), server: at('198.51.100.7', 80) })
    assert.equal(pair?.capture.vantage, 'client')
    assert.deepEqual(names(pair), ['api-1', null])
  })

  test('with keep: both, the client’s vantage inside the cluster is kept', () => {
    const { pair } = see(shown, { client: at('10.0.0.9', 4000), server: at('10.9.9.9') }, { keep: 'both' })
    assert.equal(pair?.capture.vantage, 'client')
  })

  test('counts an address held by a pod of this node as inside the cluster, whatever the networks', () => {
    const harness = new AssembleHarness({ interfaces: [point(shown)], keep: 'server' })
    harness.assembler.setAddresses([held('192.0.2.1', 'other')])
    const ends = { client: at('10.0.0.9', 4000), server: at('192.0.2.1') }
    assert.equal(harness.script(exchange(), ends).finish().pairs.length, 0)
  })

  test('with neither endpoint its own: the pair is kept', () => {
    const { pair } = see(shown, { client: at('10.1.1.1', 5), server: at('10.1.1.2') })
    assert.equal(pair?.capture.vantage, 'host')
  })

  test('names the container that declares the port, or else the only one', () => {
    const declared = pod('api-1', { container: 'main', containersByPort: { '8080': 'web' } })
    const shownPod = vantagePoint({ pod: declared, addresses: ['10.0.0.9'] })
    assert.equal(see(shownPod, {}).pair?.server.pod?.container, 'web')
    assert.equal(see(shownPod, { server: at('10.0.0.9', 9) }).pair?.server.pod?.container, 'main')
  })
})

suite('vantage: a sidecar’s loopback', () => {
  const shown = vantagePoint({ scope: 'loopback', pod: pod('api-1'), addresses: ['10.0.0.9'], outboundPorts: [15001] })
  const outbound = { client: at('10.0.0.9', 4000), server: at('127.0.0.1', 15001) }

  test('requests that the proxy delivers have the server’s vantage', () => {
    const { pair } = see(shown, { client: at('127.0.0.6', 4000), server: at('10.0.0.9') })
    assert.equal(pair?.capture.vantage, 'server')
    assert.deepEqual(names(pair), [null, 'api-1'])
  })

  for (const host of [
    'cart',
    'cart.shop',
    'cart.shop.svc',
    'cart.shop.svc.cluster.local:8080',
    '10.96.0.7',
    '10.1.2.3:80',
  ]) {
    test(`filters requests to the proxy for ${host}, which is inside the cluster`, () => {
      const harness = new AssembleHarness({ interfaces: [point(shown)], ...POLICY })
      harness.assembler.setAddresses([held('10.0.0.77', 'somebody of namespace shop')])
      const { pairs } = harness.script(exchange(host), outbound).finish()
      assert.equal(pairs.length, 0)
      assert.equal(harness.count('pairs.filtered.view'), 1)
    })
  }

  for (const host of ['api.example.com', 'example.com', '198.51.100.1', '[2001:db8::1]:80', '']) {
    test(`keeps the client’s vantage of requests to the proxy for "${host}", which is outside`, () => {
      const { pair } = see(shown, outbound, {}, host)
      assert.equal(pair?.capture.vantage, 'client')
      assert.deepEqual(names(pair), ['api-1', null])
    })
  }

  test('keeps all with keep: both, without looking up addresses', () => {
    assert.equal(see(shown, outbound, { keep: 'both' }, 'cart').pair?.capture.vantage, 'client')
  })

  test('decides by the remote address behind a transparent proxy, which preserves it', () => {
    const ends = (address: string) => ({ client: at('10.0.0.9', 4000), server: at(address) })
    assert.equal(see(shown, ends('10.3.3.3')).pair, undefined)
    assert.equal(see(shown, ends('198.51.100.3')).pair?.capture.vantage, 'client')
  })
})

suite('vantage: the host’s interfaces', () => {
  const listeners = { '8080': pod('ingress') }
  const shown = vantagePoint({ scope: 'host', addresses: ['192.0.2.2'], listeners, hopLimit: 64 })
  const incoming = { server: at('192.0.2.2') }

  const withHopLimit = (frames: Frame[], hopLimit: number, source: string): Frame[] =>
    frames.map((frame) => {
      const bytes = frame.bytes.slice()
      if (bytes.subarray(26, 30).join('.') === source) bytes[22] = hopLimit
      return { ...frame, bytes }
    })

  test('a listening pod with the host’s network is named', () => {
    const { pair } = see(shown, incoming)
    assert.equal(pair?.capture.vantage, 'server')
    assert.deepEqual(names(pair), [null, 'ingress'])
  })

  test('a server of unknown identity is kept without a name', () => {
    assert.deepEqual(names(see(shown, { server: at('192.0.2.2', 99) }).pair), [null, null])
  })

  test('filters traffic forwarded between others', () => {
    const { pair, count } = see(shown, {})
    assert.equal(pair, undefined)
    assert.equal(count('flows.leftOut.forwarded'), 1)
  })

  test('keeps tunnelled traffic between others, unless an endpoint is inside the cluster', () => {
    const mirrored = { ...shown, tunnels: true }
    const outside = { client: at('198.51.100.7', 4000), server: at('198.51.100.8') }
    assert.equal(see(mirrored, outside).pair?.capture.vantage, 'host')
    for (const end of ['client', 'server'] as const) {
      const { pair, count } = see(mirrored, { ...outside, [end]: at('10.3.3.3') })
      assert.equal(pair, undefined)
      assert.equal(count('flows.leftOut.forwarded'), 1)
    }
  })

  for (const [what, server, client, source] of [
    ['masqueraded traffic of a pod', '198.51.100.7', '192.0.2.2', '192.0.2.2'],
    ['a node port that leads to a pod', '192.0.2.2', '198.51.100.7', '192.0.2.2'],
  ] as const) {
    test(`${what} has the host’s address but a smaller TTL: filtered`, () => {
      const ends = { client: at(client, 4000), server: at(server) }
      const run = (hopLimit: number) => {
        const harness = new AssembleHarness({ interfaces: [point(shown)], ...POLICY })
        const frames = withHopLimit(encodeFrames(exchange().segments, ends), hopLimit, source)
        return { pairs: harness.frames(frames).finish().pairs, forwarded: harness.count('flows.leftOut.forwarded') }
      }
      assert.deepEqual(run(63), { pairs: [], forwarded: 1 })
      assert.equal(run(64).pairs.length, 1)
    })
  }
})

const held = (address: string, name: string, fromMicros = 0, toMicros: number | null = null): AddressEntry => ({
  address,
  holders: [{ pod: pod(name), fromMicros, toMicros }],
})

suite('vantage: names of the remote end', () => {
  const shown = vantagePoint({ pod: pod('api-1'), addresses: ['10.0.0.9'] })
  const SECOND = 1_000_000

  test('an address is its holder’s at the time of the packets', () => {
    const harness = new AssembleHarness({ interfaces: [point(shown)], ...POLICY })
    const change = START_MICROS + 100 * SECOND
    const holders = [
      { pod: pod('old'), fromMicros: 0, toMicros: change },
      { pod: pod('new'), fromMicros: change, toMicros: null },
    ]
    harness.assembler.setAddresses([{ address: CLIENT.address, holders }])
    harness.script(exchange('api', START_MICROS), { client: { ...CLIENT, port: 1 } })
    harness.script(exchange('api', change + SECOND), { client: { ...CLIENT, port: 2 } })
    const { pairs } = harness.finish()
    assert.deepEqual(pairs.map(names), [
      ['old', 'api-1'],
      ['new', 'api-1'],
    ])
  })

  test('an address has no pod long after its holder ended', () => {
    const harness = new AssembleHarness({ interfaces: [point(shown)], ...POLICY })
    harness.assembler.setAddresses([held(CLIENT.address, 'gone', 0, START_MICROS - 60 * SECOND)])
    assert.deepEqual(names(harness.script(exchange()).finish().pairs[0]), [null, 'api-1'])
  })

  test('a name that arrives during a connection appears in its later pairs', () => {
    const harness = new AssembleHarness({ interfaces: [point({ ...shown, pod: null })], ...POLICY })
    const script = new TcpScript().handshake()
    const round = () => {
      const from = script.segments.length
      script.client('GET / HTTP/1.1\r\nHost: x\r\n\r\n').server('HTTP/1.1 204 No Content\r\n\r\n')
      harness.segments(script.segments.slice(from === 3 ? 0 : from))
    }
    round()
    harness.assembler.addInterface(0, point(shown))
    harness.assembler.setAddresses([held(CLIENT.address, 'caller')])
    round()
    harness.assembler.setAddresses([{ address: CLIENT.address, holders: [] }])
    round()
    assert.deepEqual(harness.finish().pairs.map(names), [
      [null, null],
      ['caller', 'api-1'],
      [null, 'api-1'],
    ])
  })

  test('connections that share a cache slot of endpoints keep their own', () => {
    const harness = new AssembleHarness({ interfaces: [point(shown)], ...POLICY, flows: 5000 })
    const scripts = Array.from({ length: 2100 }, () => exchange())
    for (const [i, script] of scripts.entries())
      harness.segments(script.segments, { client: at('10.0.0.5', 20_000 + i) })
    for (const [i, script] of scripts.entries()) {
      const from = script.segments.length
      script.client('GET /y HTTP/1.1\r\nHost: x\r\n\r\n').server('HTTP/1.1 204 No Content\r\n\r\n')
      harness.segments(script.segments.slice(from), { client: at('10.0.0.5', 20_000 + i) })
    }
    const ports = harness.finish().pairs.map(({ client }) => client.port)
    const expected = scripts.map((_, i) => 20_000 + i)
    assert.deepEqual(ports, [...expected, ...expected])
  })
})
