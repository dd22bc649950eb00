import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConnectionLimit } from '../../src/admin/connection-limit.ts'

class FakeSocket extends EventEmitter {
  readonly localAddress = '192.0.2.1'
  readonly remoteAddress: string
  open = true

  constructor(remoteAddress: string) {
    super()
    this.remoteAddress = remoteAddress
  }

  destroy(): void {
    this.open = false
    this.emit('close')
  }
}

const LIMITS = { total: 8, most: 12, perPeer: 3, graceMs: 50 }

class Peers {
  readonly limit = new ConnectionLimit(LIMITS, (ms, run) => this.#timers.push({ at: this.#now + ms, run }))
  readonly sockets: FakeSocket[] = []
  readonly #timers: { at: number; run: () => void }[] = []
  #now = 0

  /** Lets time pass, and what arrived be read. */
  wait(ms: number): void {
    this.#now += ms
    while (this.#timers.length > 0 && this.#timers[0].at <= this.#now) this.#timers.shift()?.run()
  }

  connect(address: string): FakeSocket {
    const socket = new FakeSocket(address)
    this.sockets.push(socket)
    this.limit.admit(socket)
    return socket
  }

  open(address?: string): FakeSocket[] {
    return this.sockets.filter(
      ({ open, remoteAddress }) => open && (address === undefined || remoteAddress === address),
    )
  }
}

test('ConnectionLimit: closes the oldest connections of a peer at its limit', () => {
  const peers = new Peers()
  const first = peers.connect('10.0.0.1')
  peers.wait(LIMITS.graceMs)
  const others = Array.from({ length: LIMITS.perPeer }, () => peers.connect('10.0.0.1'))
  assert.deepEqual([first.open, others.every(({ open }) => open)], [false, true])
})

test('ConnectionLimit: closes no connection of a peer that was not read yet, and the others once they were', () => {
  const peers = new Peers()
  for (let i = 0; i < LIMITS.most; i += 1) peers.connect('10.0.0.1')
  assert.equal(peers.open().length, LIMITS.most)
  peers.wait(LIMITS.graceMs)
  assert.equal(peers.open().length, LIMITS.perPeer)
})

test('ConnectionLimit: at either total, closes a connection of the peer with the most', () => {
  const peers = new Peers()
  const probe = peers.connect('10.0.0.2')
  for (let i = 0; i < 20; i += 1) peers.connect('10.0.0.1')
  assert.ok(probe.open)
  assert.equal(peers.open().length, LIMITS.most)
  peers.wait(LIMITS.graceMs)
  const others = Array.from({ length: 6 }, (_, i) => peers.connect(`10.0.1.${i}`))
  assert.ok(probe.open && others.every(({ open }) => open))
  assert.deepEqual([peers.open().length, peers.open('10.0.0.1').length], [LIMITS.total, 1])
})

test('ConnectionLimit: local and remote connections have separate limits', () => {
  const peers = new Peers()
  const local = ['127.0.0.1', '::1', '::ffff:127.0.0.1', '192.0.2.1'].map((address) => peers.connect(address))
  for (let i = 0; i < 50; i += 1) peers.connect(`10.0.0.${i}`)
  assert.ok(local.every(({ open }) => open))
  assert.equal(peers.open().length, LIMITS.most + local.length)
})

test('ConnectionLimit: a closed connection makes room', () => {
  const peers = new Peers()
  const [first, ...others] = Array.from({ length: LIMITS.most }, (_, i) => peers.connect(`10.0.0.${i}`))
  first.destroy()
  peers.connect('10.0.1.1')
  assert.ok(others.every(({ open }) => open))
})

test('ConnectionLimit: model: a new connection is admitted, limits hold, and idle peers never close another’s only one', () => {
  const step = fc.record({
    peer: fc.integer({ min: 0, max: 5 }),
    waitMs: fc.integer({ min: 0, max: 60 }),
    closes: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const peers = new Peers()
      for (const { peer, waitMs, closes } of steps) {
        const before = new Set(peers.open())
        peers.wait(waitMs)
        assert.ok(peers.open().length <= LIMITS.most)
        const socket = peers.connect(`10.0.0.${peer}`)
        assert.ok(socket.open)
        assert.ok(peers.open().length <= LIMITS.most)
        const closed = [...before].filter(({ open }) => !open)
        for (const { remoteAddress } of closed) assert.ok(peers.open(remoteAddress).length >= 1)
        if (closes) socket.destroy()
      }
    }),
  )
})
