import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { END_FIN } from '../../../src/ledger/reasons.ts'
import { FIN } from '../../support/tcp-script.ts'
import { fromClient, fromServer } from './raw-segments.ts'
import { harness, patient } from './tcp-harness.ts'

describe('fin: ends', () => {
  test('a FIN ends its stream once everything before it was delivered', () => {
    const tcp = harness(fromClient(0, 'ab'), fromClient(4, 'ef', { flags: FIN }))
    assert.equal(tcp.only.clientEnd, -1)
    tcp.segment(fromClient(2, 'cd'))
    assert.equal(tcp.only.client, 'abcdef')
    assert.equal(tcp.only.clientEnd, END_FIN)
  })

  test('a separate FIN segment captured before the last data ends the stream after the data', () => {
    const tcp = harness(fromClient(0, 'ab'), fromClient(4, '', { flags: FIN }), fromClient(2, 'cd'))
    assert.equal(tcp.only.client, 'abcd')
    assert.equal(tcp.only.clientEnd, END_FIN)
  })

  test('an acknowledged FIN makes the hole before it a gap', () => {
    const tcp = patient(fromServer(0, 'ab'), fromServer(4, '', { flags: FIN }), fromClient(0, '', { acks: 5 }))
    for (let i = 0; i < 4; i++) tcp.segment(fromClient(0, '', { acks: 5 }))
    assert.equal(tcp.only.server, 'ab[2]')
    assert.equal(tcp.only.serverEnd, END_FIN)
  })

  test('bytes after a FIN are not delivered', () => {
    const tcp = harness(fromClient(0, 'ab', { flags: FIN }), fromClient(2, 'cd'), fromClient(3, 'ef'))
    assert.equal(tcp.only.client, 'ab')
  })
})

describe('fin: FINs that are not the sender’s', () => {
  test('bytes after a FIN behind a hole are not delivered', () => {
    const tcp = harness(
      fromClient(0, 'ab'),
      fromClient(4, '', { flags: FIN }),
      fromClient(4, 'XX'),
      fromClient(2, 'cd'),
    )
    assert.equal(tcp.only.client, 'abcd')
    assert.equal(tcp.only.clientEnd, END_FIN)
    assert.equal(tcp.pool.usedBytes, 0)
  })

  test('a FIN ahead of the stream is discarded once bytes cover its position', () => {
    for (const ahead of [1, 3, 100]) {
      const tcp = harness(
        fromClient(0, 'ab'),
        fromClient(2 + ahead, '', { flags: FIN }),
        fromClient(2, 'x'.repeat(101)),
      )
      assert.equal(tcp.only.clientEnd, -1, `${ahead}`)
      tcp.segment(fromClient(103, 'end', { flags: FIN }))
      assert.equal(tcp.only.client.slice(-3), 'end')
      assert.equal(tcp.only.clientEnd, END_FIN)
    }
  })

  test('the sender’s own FIN applies beside one further ahead, in either order', () => {
    const [stray, own] = [fromClient(100_000, '', { flags: FIN }), fromClient(4, '', { flags: FIN })]
    for (const fins of [
      [stray, own],
      [own, stray],
    ]) {
      const tcp = harness(fromClient(0, 'ab'), ...fins, fromClient(2, 'cd'))
      assert.equal(tcp.only.client, 'abcd')
      assert.equal(tcp.only.clientEnd, END_FIN)
    }
  })

  test('an old FIN is ignored', () => {
    const tcp = harness(fromClient(0, 'abcd'), fromClient(2, '', { flags: FIN }), fromClient(4, 'ef'))
    assert.equal(tcp.only.client, 'abcdef')
    assert.equal(tcp.only.clientEnd, -1)
  })

  test('bytes after a delivered FIN have their own counter', () => {
    const tcp = harness(fromClient(0, 'ab', { flags: FIN }), fromClient(3, 'cd'), fromClient(0, 'ab'))
    assert.equal(tcp.only.client, 'ab')
    assert.equal(tcp.count('segments.afterEnd'), 1)
    assert.equal(tcp.count('segments.duplicate'), 1)
  })
})
