/** Which connections are objects, and that it makes no difference to what they deliver. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ActiveFlows } from '../../../src/assemble/tcp/active-flows.ts'
import { TcpScript } from '../../support/tcp-script.ts'
import { TcpHarness } from './tcp-harness.ts'

const CONNECTIONS = 50

/** What interleaved connections deliver, each with a segment out of order. */
function delivered(resting: number): { tcp: TcpHarness; texts: string[] } {
  const script = new TcpScript({ segmentBytes: 4 })
    .handshake()
    .client('question')
    .server('an answer')
    .client('again')
    .close()
  const { segments } = script
  const late = segments.findIndex(({ payload }) => payload.length > 0)
  const order = segments.toSpliced(late, 1).toSpliced(late + 1, 0, segments[late])
  const tcp = new TcpHarness({ resting })
  for (const segment of order) {
    for (let port = 1; port <= CONNECTIONS; port++) tcp.segment(segment, { client: { address: '10.0.0.1', port } })
  }
  tcp.finish()
  return { tcp, texts: tcp.connections.map((one) => JSON.stringify(one)) }
}

describe('active flows', () => {
  test('connections deliver the same whether they stay objects between two segments or not', () => {
    const stay = delivered(CONNECTIONS)
    const leave = delivered(0)
    assert.deepEqual(leave.texts, stay.texts)
    assert.equal(JSON.parse(leave.texts[0]).client, 'questionagain')
    assert.equal(stay.tcp.flows.active.count, CONNECTIONS)
    assert.ok(leave.tcp.flows.active.count < CONNECTIONS / 2, `${leave.tcp.flows.active.count} objects`)
  })

  test('an object is used again, and each connection has one at most', () => {
    const active = new ActiveFlows(4, 0, 4)
    const first = active.add(2)
    assert.equal(active.at(2), first)
    assert.ok(active.park(first))
    assert.equal(active.count, 0)
    assert.equal(active.add(3), first)
    assert.notEqual(active.at(2), first)
    assert.equal(active.at(2).index, 2)
    active.remove(3)
    active.remove(2)
    assert.equal(active.count, 0)
  })

  test('the owner may keep a connection an object, and finds its words again', () => {
    const active = new ActiveFlows(4, 0, 4)
    let isBusy = true
    active.keeper = {
      park: (flow, words, at) => {
        if (!isBusy) words[at] = 100 + flow.index
        return !isBusy
      },
      unpark: (flow, words, at) => assert.equal(words[at], 100 + flow.index),
    }
    const flow = active.add(1)
    active.settle()
    assert.equal(active.count, 1)
    isBusy = false
    active.settle()
    assert.equal(active.count, 0)
    assert.equal(active.at(1), flow)
  })

  test('the victim is an object that is not at rest and was not used lately', () => {
    const active = new ActiveFlows(4, 0, 2)
    const flows = [0, 1, 2].map((index) => active.add(index))
    for (const { streams } of flows) streams[0].suspected = true
    assert.ok(active.crowded)
    flows[0].recent = true
    assert.equal(active.victim(), flows[1])
    flows[1].streams[0].suspected = false
    assert.ok(active.park(flows[1]))
    assert.equal(active.victim(), null)
  })
})
