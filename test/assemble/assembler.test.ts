/**
 * Whole connections, from frames to pairs: capture points, midstream pickup, and every reason for which an exchange is
 * abandoned.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { count } from '../../src/ledger/ledger.ts'
import type { InterfaceInfo } from '../../src/target/interface-info.ts'
import { AssembleHarness, assemble, HOST_INTERFACE, summary } from '../support/assemble-harness.ts'
import { numbered, request, response, sequential, wrongPairs } from '../support/http-script.ts'
import { CLIENT, encodeFrames, type Link, SERVER } from '../support/tcp-frames.ts'
import { ACK, FIN, type Segment, START_MICROS, SYN, TcpScript } from '../support/tcp-script.ts'

const SECOND = 1_000_000
const from = (port: number): Link => ({ client: { ...CLIENT, port } })
const asked = (target: string, startMicros = START_MICROS): TcpScript =>
  new TcpScript({ startMicros }).handshake().client(request(target))

describe('assembler: capture points', () => {
  test('equal addresses and ports in two network namespaces are two connections', () => {
    const interfaces: InterfaceInfo[] = [1, 2].map((domain) => ({ ...HOST_INTERFACE, name: `pod${domain}`, domain }))
    const harness = new AssembleHarness({ interfaces })
    const one = encodeFrames(new TcpScript().handshake().client(request('/0')).server(numbered(0)).close().segments)
    const two = encodeFrames(
      new TcpScript({ clientIsn: 7 }).handshake().client(request('/1')).server(numbered(1)).close().segments,
    )
    for (const [i, frame] of one.entries())
      harness.frames([
        { ...frame, interfaceId: 0 },
        { ...two[i], interfaceId: 1 },
      ])
    const { pairs } = harness.finish()
    assert.deepEqual(wrongPairs(pairs), [])
    assert.deepEqual(
      pairs.map(({ request: { target }, capture }) => [target, capture.interface]),
      [
        ['/0', 'pod1'],
        ['/1', 'pod2'],
      ],
    )
  })

  test('a frame captured without a VLAN tag, with one and with two is delivered once', () => {
    const { segments } = sequential(5)
    const harness = new AssembleHarness()
    for (const segment of segments) {
      for (const vlans of [[], [100], [100, 200]]) harness.segments([segment], { vlans })
    }
    const { pairs } = harness.finish()
    assert.deepEqual(
      summary(pairs),
      [0, 1, 2, 3, 4].map((n) => `GET /${n} 200`),
    )
  })

  test('IPv4 and IPv6 connections with equal ports are separate', () => {
    const harness = new AssembleHarness()
    harness.script(sequential(2)).script(sequential(3), {
      client: { address: 'fe80::1', port: CLIENT.port },
      server: { address: 'fe80::2', port: SERVER.port },
    })
    assert.equal(harness.finish().pairs.length, 5)
  })

  test('removing an interface abandons its exchanges, and no others', () => {
    const harness = new AssembleHarness({ interfaces: [HOST_INTERFACE, { ...HOST_INTERFACE, name: 'eth1' }] })
    const stays = asked('/stays')
    harness.script(stays, { ...from(1), interfaceId: 0 }).script(asked('/goes'), { ...from(2), interfaceId: 1 })
    harness.removeInterface(1)
    assert.equal(harness.count('requests.abandoned.interfaceGone'), 1)
    stays.segments.splice(0)
    harness.script(stays.server(response()).close(), { ...from(1), interfaceId: 0 })
    assert.deepEqual(summary(harness.finish().pairs), ['GET /stays 200'])
  })
})

describe('assembler: midstream pickup', () => {
  const middle = (): TcpScript => new TcpScript().midstream()

  test('at a request: every exchange is paired, whichever endpoint sorts first', () => {
    for (const link of [{}, { client: SERVER, server: CLIENT }]) {
      const { pairs } = assemble(middle().client(request('/0')).server(numbered(0)).close(), undefined, link)
      assert.deepEqual(wrongPairs(pairs), [])
      assert.equal(pairs.length, 1)
      assert.deepEqual(pairs[0].flags, ['midstream'])
      assert.equal(pairs[0].client.port, (link.client ?? CLIENT).port)
    }
  })

  test('at a response: it is orphaned, and the next exchange is paired', () => {
    for (const link of [{}, { client: SERVER, server: CLIENT }]) {
      const { pairs, ledger } = assemble(
        middle().server(numbered(9)).client(request('/0')).server(numbered(0)).close(),
        undefined,
        link,
      )
      assert.deepEqual(summary(pairs), ['GET /0 200'])
      assert.deepEqual(wrongPairs(pairs), [])
      assert.equal(count(ledger, 'responses.orphaned'), 1)
    }
  })

  test('a single exchange is doubtful, because an earlier request may have been pipelined', () => {
    const { segments } = new TcpScript({ bareAcks: false })
      .handshake()
      .client(request('/0'))
      .client(request('/1'))
      .server(numbered(0))
      .server(numbered(1))
    const { pairs, ledger } = assemble(segments.slice(4, 6))
    assert.deepEqual(wrongPairs(pairs), [])
    assert.equal(count(ledger, 'requests.abandoned.doubtful'), 1)
    const single = assemble(middle().client(request('/0')).server(numbered(0)))
    assert.equal(single.pairs.length, 0)
    assert.equal(count(single.ledger, 'requests.abandoned.doubtful'), 1)
  })

  test('in a body: the following exchanges are paired', () => {
    const script = middle().server('the end of a body that began before').client(request('/0')).server(numbered(0))
    assert.deepEqual(summary(assemble(script.client(request('/1')).server(numbered(1))).pairs), [
      'GET /0 200',
      'GET /1 200',
    ])
  })

  test('a connection whose first captured segment is the SYN+ACK is not midstream', () => {
    const { segments } = sequential(1)
    const { pairs, ledger } = assemble(segments.slice(1))
    assert.deepEqual(
      pairs.map(({ flags }) => flags),
      [[]],
    )
    assert.equal(count(ledger, 'flows.midstream'), 0)
  })
})

test('assembler: a message never ends before it begins, even if its first segment is captured last', () => {
  const script = new TcpScript({ bareAcks: false, segmentBytes: 60 })
    .handshake()
    .client(request('/0'))
    .server(numbered(0))
  const { segments } = script
  const first = segments.findIndex(({ fromClient, payload }) => !fromClient && payload.length > 0)
  const late = { ...segments[first], micros: script.micros + SECOND }
  const { pairs } = assemble([...segments.toSpliced(first, 1), late])
  assert.deepEqual(wrongPairs(pairs), [])
  assert.equal(pairs[0].responseStartMicros, late.micros)
  assert.equal(pairs[0].responseEndMicros, late.micros)
})

describe('assembler: no acknowledgements, as in synthetic captures', () => {
  const conversation = (): TcpScript => {
    const script = new TcpScript({ bareAcks: false }).handshake()
    for (let i = 0; i < 3; i++) script.client(request(`/${i}`)).server(numbered(i))
    return script.close()
  }

  for (const [what, edit] of [
    ['0 from the first segment on', (segment) => ({ ...segment, ack: 0 })],
    ['0 after the handshake', (segment) => (segment.flags & SYN ? segment : { ...segment, ack: 0 })],
    ['without the flag', (segment) => ({ ...segment, ack: 0, flags: segment.flags & ~ACK })],
    ['without the flag, and any number', (segment) => ({ ...segment, ack: 77, flags: segment.flags & ~ACK })],
  ] as [string, (segment: Segment) => Segment][]) {
    test(`${what}: treats all earlier bytes of the peer as acknowledged`, () => {
      const { pairs } = assemble(conversation().segments.map(edit))
      assert.deepEqual(wrongPairs(pairs), [])
      assert.equal(pairs.length, 3)
    })
  }

  test('pairs one request and one response if all their numbers are 0', () => {
    const exchange = conversation()
      .segments.filter(({ payload }) => payload.length > 0)
      .slice(0, 2)
    assert.equal(assemble(exchange.map((segment) => ({ ...segment, seq: 0, ack: 0 }))).pairs.length, 1)
  })

  test('emits no pair after a lost response, because nothing proves which request a response answers', () => {
    const segments = conversation().segments.map((segment) => ({ ...segment, ack: 0 }))
    const lost = segments.findIndex(({ fromClient, payload }) => !fromClient && payload.length > 0)
    assert.deepEqual(assemble(segments.toSpliced(lost, 1)).pairs, [])
  })
})

describe('assembler: reasons for abandoned requests', () => {
  const abandoned = (script: TcpScript, reason: string): void => {
    const { ledger } = assemble(script)
    assert.equal(count(ledger, `requests.abandoned.${reason}`), 1, reason)
    assert.equal(count(ledger, 'requests.abandoned'), 1)
  }

  test('closed, reset, ended, doubtful, oversize', () => {
    abandoned(asked('/').close(), 'closed')
    abandoned(asked('/').reset('server'), 'reset')
    abandoned(asked('/'), 'ended')
    abandoned(asked('/').server('HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n').close(), 'doubtful')
    abandoned(asked('/').server('HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n').close(), 'oversize')
  })

  test('superseded by a new connection with the same addresses and ports', () => {
    const harness = new AssembleHarness().script(asked('/old'))
    harness.script(
      new TcpScript({ clientIsn: 77_777, serverIsn: 88_888 }).handshake().client(request('/0')).server(numbered(0)),
    )
    assert.deepEqual(summary(harness.finish().pairs), ['GET /0 200'])
    assert.equal(harness.count('requests.abandoned.superseded'), 1)
  })

  test('evicted at the limit of connections', () => {
    const harness = new AssembleHarness({ flows: 16 })
    for (let port = 1; port <= 20; port++) harness.script(asked('/', START_MICROS + port * 2 * SECOND), from(port))
    harness.finish()
    assert.equal(harness.count('flows.closed.evicted'), 4)
    assert.equal(harness.count('requests.abandoned.evicted'), 4)
    assert.equal(harness.count('requests.abandoned.ended'), 16)
  })

  test('timed out with its idle connection', () => {
    const harness = new AssembleHarness({
      responseTimeoutMicros: 10_000 * SECOND,
      idleTimeoutMicros: 600 * SECOND,
    }).script(asked('/'))
    for (let second = 0; second <= 605; second += 5) harness.tick(START_MICROS + second * SECOND)
    assert.equal(harness.count('flows.closed.idle'), 1)
    assert.equal(harness.count('requests.abandoned.timeout'), 1)
    harness.finish()
  })
})

describe('assembler: a loss inside a body loses only that exchange', () => {
  const body = 'x'.repeat(5000)
  const bodies: Record<string, string> = {
    counted: `HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n${body}`,
    chunked: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n${body}\r\n0\r\n\r\n`,
    'in many chunks': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'64\r\n'.concat('x'.repeat(100), '\r\n').repeat(50)}0\r\n\r\n`,
  }

  for (const [name, large] of Object.entries(bodies)) {
    test(name, () => {
      const script = new TcpScript({ segmentBytes: 500, bareAcks: false })
        .handshake()
        .client(request('/0'))
        .server(numbered(0))
      const first = script.segments.length + 1
      script.client(request('/1')).server(large)
      const last = script.segments.length
      for (const n of [2, 3, 4]) script.client(request(`/${n}`)).server(numbered(n))
      const { segments } = script.close()
      for (let lost = first; lost < last; lost++) {
        const { pairs, ledger } = assemble(segments.toSpliced(lost, 1))
        assert.deepEqual(wrongPairs(pairs), [])
        assert.deepEqual(
          summary(pairs),
          ['GET /0 200', 'GET /2 200', 'GET /3 200', 'GET /4 200'],
          `segment ${lost - first}`,
        )
        assert.equal(count(ledger, 'requests.abandoned'), 1)
      }
    })
  }

  test('of a request', () => {
    const script = new TcpScript({ segmentBytes: 500, bareAcks: false }).handshake()
    script.client(request('/0', { body })).server(numbered(0))
    for (const n of [1, 2]) script.client(request(`/${n}`)).server(numbered(n))
    const { segments } = script.close()
    for (let lost = 4; lost < 14; lost++) {
      const { pairs, ledger } = assemble(segments.toSpliced(lost, 1))
      assert.deepEqual(summary(pairs), ['GET /1 200', 'GET /2 200'], `segment ${lost}`)
      assert.equal(count(ledger, 'requests.abandoned.gap'), 1)
    }
  })

  test('of a response that extends to the end of the connection', () => {
    const script = new TcpScript({ segmentBytes: 500 })
      .handshake()
      .client(request('/'))
      .server(`HTTP/1.1 200 OK\r\n\r\n${body}`)
    const { segments } = script.close()
    const { pairs, ledger } = assemble(segments.toSpliced(7, 1))
    assert.equal(pairs.length, 0)
    assert.equal(count(ledger, 'requests.abandoned.gap'), 1)
  })
})

test('assembler: frames truncated by a snap length lose their end, but their connection continues', () => {
  const harness = new AssembleHarness()
  const script = new TcpScript({ bareAcks: false })
    .handshake()
    .client(request('/0'))
    .server(numbered(0, 'x'.repeat(1000)))
  script.client(request('/1')).server(numbered(1)).close()
  harness.frames(encodeFrames(script.segments).map((frame) => ({ ...frame, bytes: frame.bytes.slice(0, 300) })))
  const { pairs } = harness.finish()
  assert.deepEqual(summary(pairs), ['GET /1 200'])
})

test('assembler: a FIN behind bytes that a snap length cut off does not complete the response', () => {
  for (const link of [
    {},
    { client: { address: '2001:db8::5', port: 5 }, server: { address: '2001:db8::9', port: 80 } },
  ]) {
    const script = new TcpScript()
      .handshake()
      .client(request('/'))
      .server(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(500)}`)
    const last = script.segments[script.segments.length - 2]
    last.flags |= FIN
    script.stray('client', { flags: ACK | FIN, ack: script.next('server') + 1 })
    const frames = encodeFrames(script.segments, link)
    const whole = new AssembleHarness().frames(frames).finish()
    assert.deepEqual(
      whole.pairs.map(({ response: { body } }) => body.length),
      [500],
    )
    const cut = frames.map((frame) => ({ ...frame, bytes: frame.bytes.slice(0, 200) }))
    const { pairs, ledger } = new AssembleHarness().frames(cut).finish()
    assert.deepEqual(pairs, [])
    assert.equal(count(ledger, 'requests.abandoned.gap'), 1)
  }
})

test('assembler: pairs are counted before they are passed, because its thread may be ended at any call', () => {
  let passed = 0
  const harness: AssembleHarness = new AssembleHarness({
    onPair: () => {
      passed += 1
      assert.ok(harness.count('pairs.kept') >= passed, `${harness.count('pairs.kept')} of ${passed}`)
    },
  })
  harness.script(sequential(20))
  harness.finish()
  assert.equal(passed, 20)
})
