/** Flows of a real assembler, seen when their vantage is judged, which goes on as usual. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Direction } from '../../../src/assemble/direction.ts'
import type { HostFlow } from '../../../src/assemble/host/host-flow.ts'
import { TUNNEL_SOCKS } from '../../../src/assemble/preamble/preamble.ts'
import { SocksHandshake } from '../../../src/assemble/preamble/socks-handshake.ts'
import { Vantages } from '../../../src/assemble/vantage/vantage.ts'
import type { InterfaceInfo } from '../../../src/target/interface-info.ts'
import { AssembleHarness, HOST_INTERFACE, summary } from '../../support/assemble-harness.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { type Endpoint, encodeFrames, type Frame } from '../../support/tcp-frames.ts'
import { START_MICROS, TcpScript } from '../../support/tcp-script.ts'
import { vantagePoint } from '../../support/vantage-point.ts'

/** A connection, and what the flow's record is to say of it. */
interface Conversation {
  client: Endpoint
  server: Endpoint
  interfaceId: number
  clientIsn: number
  serverIsn: number
  /** Whether its handshake is captured. */
  isWhole: boolean
}

const INTERFACES = 3
/** Packet time between segments of a connection; those of different connections are never captured at once. */
const STEP_MICROS = 100
/** A capture point of which every connection is kept, and judged. */
const POINT: InterfaceInfo = { ...HOST_INTERFACE, vantagePoint: vantagePoint() }
const RESPONSE = 'HTTP/1.1 204 No\r\n\r\n'

/** An address as its four big-endian words; IPv4 as one. */
function wordsOf(address: string): number[] {
  if (!address.includes(':')) return [address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0)]
  const parts = address.split(':').map((part) => Number.parseInt(part, 16))
  return [0, 2, 4, 6].map((i) => (parts[i] << 16) | parts[i + 1])
}

const byte = fc.integer({ min: 1, max: 254 })
const ipv4 = fc.tuple(byte, byte, byte).map((parts) => `10.${parts.join('.')}`)
const hextet = fc.nat(0xffff).map((value) => value.toString(16))
const ipv6 = fc.tuple(...Array.from({ length: 7 }, () => hextet)).map((parts) => `fd00:${parts.join(':')}`)
const isn = fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 0x7fff_fffe, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff))
const conversation = (address: fc.Arbitrary<string>): fc.Arbitrary<Conversation> => {
  const endpoint = fc.record({ address, port: fc.integer({ min: 1, max: 65_535 }) })
  return fc.record({
    client: endpoint,
    server: endpoint,
    interfaceId: fc.nat(INTERFACES - 1),
    clientIsn: isn,
    serverIsn: isn,
    isWhole: fc.boolean(),
  })
}
const conversations = fc
  .uniqueArray(fc.oneof(conversation(ipv4), conversation(ipv6)), {
    minLength: 1,
    maxLength: 8,
    selector: ({ client }) => client.port,
  })
  // A port names its conversation.
  .filter((all) => new Set(all.flatMap(({ client, server }) => [client.port, server.port])).size === 2 * all.length)

function framesOf(conversation: Conversation, at: number): Frame[] {
  const { client, server, interfaceId, clientIsn, serverIsn, isWhole } = conversation
  const script = new TcpScript({ clientIsn, serverIsn, startMicros: START_MICROS + at, stepMicros: STEP_MICROS })
  if (isWhole) script.handshake()
  else script.midstream()
  script.client('GET / HTTP/1.1\r\nHost: a\r\n\r\n').server(RESPONSE)
  return encodeFrames(script.segments, { client, server, interfaceId })
}

/** Checks what a flow says of its conversation against what was sent. */
function check(flow: HostFlow, { client, server, interfaceId, clientIsn, serverIsn, isWhole }: Conversation): void {
  const toServer = flow.clientDirection
  assert.ok(toServer !== -1, 'the client is unknown')
  assert.equal(flow.interfaceId, interfaceId)
  assert.equal(flow.isIpv6, client.address.includes(':'))
  assert.equal(flow.isWhole, isWhole)
  const ends = [
    { direction: toServer, end: client, first: clientIsn },
    { direction: (1 - toServer) as Direction, end: server, first: serverIsn },
  ]
  for (const { direction, end, first } of ends) {
    assert.equal(flow.port(direction), end.port)
    const words = wordsOf(end.address)
    assert.deepEqual(
      words.map((_, i) => flow.addressWord(direction, i)),
      words,
    )
    assert.equal(flow.synSeen(direction), isWhole)
    if (isWhole) assert.equal(flow.firstSeq(direction) >>> 0, (first + 1) >>> 0)
  }
}

/** Calls `see` with each flow whose client is known, before its vantage is judged. */
function watchJudged(t: TestContext, see: (flow: HostFlow) => void): void {
  const { judge } = Vantages.prototype
  t.mock.method(Vantages.prototype, 'judge', function (this: Vantages, flow: HostFlow) {
    see(flow)
    return judge.call(this, flow)
  })
}

test('HostFlow: model: says of each of several connections what was captured of it', (t) => {
  let onJudged = (_: HostFlow): void => {}
  watchJudged(t, (flow) => onJudged(flow))
  fc.assert(
    fc.property(conversations, (all) => {
      const frames = all.flatMap(framesOf)
      // The frame being read.
      let now = 0
      const judged: number[] = []
      onJudged = (flow) => {
        const found = all.find(({ client }) => [0, 1].some((end) => flow.port(end as Direction) === client.port))
        assert.ok(found !== undefined, 'a flow of no conversation')
        check(flow, found)
        assert.equal(flow.lastMicros, now)
        judged.push(found.client.port)
      }
      const interfaces = Array.from({ length: INTERFACES }, (_, i) => ({ ...POINT, name: `eth${i}` }))
      const harness = new AssembleHarness({ interfaces })
      for (const frame of frames.sort((a, b) => a.micros - b.micros)) {
        now = frame.micros
        harness.frames([frame])
      }
      harness.finish()
      assert.deepEqual(
        judged.sort((a, b) => a - b),
        all.map(({ client }) => client.port).sort((a, b) => a - b),
      )
    }),
    { numRuns: propertyRuns(100) },
  )
})

test('HostFlow: moveTo forgets what was found for the flow before, and keeps what is in its record', (t) => {
  const seen: HostFlow[] = []
  watchJudged(t, (flow) => {
    const { at } = flow
    flow.vantage = 3
    flow.clientPod = flow.serverPod = flow.proxied = Uint8Array.of(1)
    flow.preamble = new SocksHandshake()
    assert.equal(flow.moveTo(0).at, 0)
    assert.equal(flow.moveTo(at), flow)
    assert.deepEqual(
      [flow.at, flow.clientPod, flow.serverPod, flow.preamble, flow.proxied],
      [at, null, null, null, null],
    )
    assert.equal(flow.vantage, 3)
    seen.push(flow)
  })
  new AssembleHarness({ interfaces: [POINT] })
    .script(new TcpScript().handshake().client('GET / HTTP/1.1\r\n\r\n'))
    .finish()
  assert.equal(seen.length, 1)
})

test('HostFlow: what is set of one connection holds for it alone', (t) => {
  const INSIDE = 20_001
  const TUNNELLED = 20_002
  watchJudged(t, (flow) => {
    const port = flow.port(flow.clientDirection as Direction)
    flow.setHostPending(port === INSIDE)
    if (port === TUNNELLED) flow.setTunnel(TUNNEL_SOCKS)
  })
  const harness = new AssembleHarness({ interfaces: [POINT], clusterNetworks: ['10.0.0.0/8'] })
  for (const port of [20_000, INSIDE, TUNNELLED]) {
    const script = new TcpScript()
      .handshake()
      .client(`GET /${port} HTTP/1.1\r\nHost: 10.0.0.9\r\n\r\n`)
      .server(RESPONSE)
    harness.script(script, { client: { address: '10.0.0.5', port } })
  }
  const { pairs } = harness.finish()
  assert.deepEqual(summary(pairs), ['GET /20000 204', `GET /${TUNNELLED} 204`])
  assert.equal(harness.count('pairs.filtered.view'), 1)
  assert.deepEqual(
    pairs.map(({ flags }) => flags),
    [[], ['tunnel']],
  )
})
