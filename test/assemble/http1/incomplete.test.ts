/**
 * Responses that end before they are complete: dropped, or with `incompleteResponses` kept as far as they were
 * captured.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { count } from '../../../src/ledger/ledger.ts'
import type { Pair } from '../../../src/pair/pair.ts'
import { assemble } from '../../support/assemble-harness.ts'
import { type Segment, TcpScript } from '../../support/tcp-script.ts'

const POST =
  'POST /chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"stream":true}'
const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
const FIRST = 'd\r\ndata: {"i":0}\r\n'
const COUNTED = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'

const opened = (): TcpScript => new TcpScript().handshake().client(POST)
const seen = ({ response, flags }: Pair): string => `${Buffer.from(response.body).toString('latin1')} ${flags}`

const CASES: { title: string; script: () => TcpScript | Segment[]; kept: string[]; reason: string }[] = [
  {
    title: 'an event stream that is open when the capture ends',
    script: () => opened().server(EVENTS).server(FIRST).server('d\r\ndata: '),
    kept: ['data: {"i":0}data:  incompleteResponse'],
    reason: 'ended',
  },
  {
    title: 'an event stream of which only the head was seen',
    script: () => opened().server(EVENTS),
    kept: [' incompleteResponse'],
    reason: 'ended',
  },
  {
    title: 'an event stream that the client resets',
    script: () => opened().server(EVENTS).server(FIRST).reset('client'),
    kept: ['data: {"i":0} incompleteResponse'],
    reason: 'reset',
  },
  {
    title: 'an event stream that the server closes without its last chunk',
    script: () => opened().server(EVENTS).server(FIRST).fin('server'),
    kept: ['data: {"i":0} incompleteResponse'],
    reason: 'closed',
  },
  {
    title: 'a body of known length that is cut off',
    script: () => opened().server(`${COUNTED}0123`).fin('server'),
    kept: ['0123 incompleteResponse'],
    reason: 'closed',
  },
  {
    title: 'a body that runs to the close of a connection that stays open',
    script: () => opened().server('HTTP/1.1 200 OK\r\n\r\n').server('{"a"'),
    kept: ['{"a" incompleteResponse'],
    reason: 'ended',
  },
  {
    title: 'a head that is cut off',
    script: () => opened().server('HTTP/1.1 200 OK\r\nContent-Le'),
    kept: [],
    reason: 'ended',
  },
  {
    title: 'a response to a request that has not ended',
    script: () => new TcpScript().handshake().client(POST.slice(0, -4)).server(`${COUNTED}0123`),
    kept: [],
    reason: 'ended',
  },
  {
    title: 'a response of which a part was lost',
    script: () => {
      const { segments } = opened().server(EVENTS).server(FIRST).server('d\r\ndata: {"i":1}\r\n')
      return segments.filter(({ payload }) => Buffer.from(payload).toString() !== FIRST)
    },
    kept: [],
    reason: 'gap',
  },
]

for (const { title, script, kept, reason } of CASES) {
  test(`incomplete responses: ${title} is ${kept.length > 0 ? 'kept as far as it was captured' : 'dropped'}`, () => {
    const { pairs, ledger } = assemble(script(), { incompleteResponses: true })
    assert.deepEqual(pairs.map(seen), kept)
    assert.equal(count(ledger, 'requests.abandoned'), 1 - kept.length)
    const usual = assemble(script())
    assert.deepEqual(usual.pairs, [])
    assert.equal(count(usual.ledger, `requests.abandoned.${reason}`), 1)
  })
}

test('incomplete responses: a complete response has no flag', () => {
  const script = opened().server(`${EVENTS}${FIRST}0\r\n\r\n`).close()
  assert.deepEqual(assemble(script, { incompleteResponses: true }).pairs.map(seen), ['data: {"i":0} '])
})
