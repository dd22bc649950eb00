/** The watch over a captured interface, on real sockets, with any events between two checks. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { needs } from '../../../rig/needs.ts'
import { Namespace } from '../../../rig/netns.ts'
import { InterfaceWatch } from '../../../src/capture/af-packet/interface-watch.ts'
import { SETTLE_MS } from '../../../src/capture/af-packet/ring-geometry.ts'
import { isAttached } from '../../../src/capture/af-packet/socket-calls.ts'
import { type PacketSocket, SocketOpener } from '../../../src/capture/af-packet/socket-opener.ts'
import { type FrameSink, FrameStamp } from '../../../src/capture/frame-sink.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import { findInterface } from '../../../src/sys/interfaces.ts'
import { poll } from '../../../src/sys/libc.ts'
import { POLLERR, POLLIN } from '../../../src/sys/packet.ts'

const DEVICE = 'cap0'
const ID = 7
const ADD = `link add ${DEVICE} type veth peer name peer0`
const OPTIONS = {
  filter: '',
  exclude: [],
  snapLength: 2048,
  ringBytes: 65_536,
  initialRingBytes: 65_536,
  promiscuous: false,
  tunnels: [],
}
const ALL = { excludePorts: [], onlyAddresses: null, onlyPorts: null, tunnels: false }
const { index: C } = CAPTURE_COUNTERS

/** Changes of the interface; a change that does not apply has no effect. */
type Change = 'up' | 'down' | 'delete' | 'create'

/** The state of the interface, and what the watch should report about it. */
class Model {
  exists = true
  up = true
  /** The interface that the socket is bound to was deleted. */
  isBoundDeleted = false
  lost = false
  /** Its flows have ended since the deletion. */
  ended = false
  endings = 0
  losses = 0

  /** @returns the command for `ip`, or null when there is nothing to change */
  change(change: Change): string | null {
    if (change === 'create') {
      if (this.exists) return null
      this.exists = true
      this.up = false
      return ADD
    }
    if (!this.exists) return null
    if (change === 'delete') {
      this.exists = false
      this.isBoundDeleted = true
      return `link delete ${DEVICE}`
    }
    this.up = change === 'up'
    return `link set ${DEVICE} ${change}`
  }

  /** Updates the model after enough checks. @param isEmpty whether the ring holds no frames */
  settle(isEmpty: boolean): void {
    if (!this.lost && (this.isBoundDeleted || !this.up)) {
      this.lost = true
      this.losses += 1
    }
    if (this.isBoundDeleted && isEmpty && !this.ended) {
      this.ended = true
      this.endings += 1
    }
    if (!this.lost || !this.exists || !this.up || (this.isBoundDeleted && !this.ended)) return
    this.lost = false
    this.isBoundDeleted = false
    this.ended = false
  }
}

/** A socket with its watch, which receives what the kernel reports. */
class Watched {
  readonly endings: number[] = []
  readonly reported: string[] = []
  readonly counters = allocateCounters(CAPTURE_COUNTERS)
  readonly ring = { holdsFrames: false }
  readonly #socket: PacketSocket
  readonly #sockets = new SocketOpener(OPTIONS)
  readonly #watch: InterfaceWatch
  readonly #pollFds = new DataView(new ArrayBuffer(8))

  constructor(namespace: Namespace) {
    const socket = this.#sockets.open({ device: DEVICE, netns: { path: namespace.path, inode: null }, ...ALL })
    const interfaceIndex = this.#sockets.bind(socket)
    this.#socket = socket
    const lent = {
      interfaceId: ID,
      closing: false,
      replaced: false,
      mayGrow: false,
      counters: this.counters,
      progress: new Int32Array(new SharedArrayBuffer(16)),
      proxyPort: new Int32Array(1),
      redirected: new Uint8Array(0),
    }
    const sink: FrameSink = {
      stamp: new FrameStamp(),
      addInterface: () => {},
      removeInterface: (id) => void this.endings.push(id),
      frame: () => {},
      drainUnread: () => new Map(),
      tick: () => {},
      flush: () => {},
    }
    this.#watch = new InterfaceWatch(
      { ...socket, ...lent, interfaceIndex, promiscuous: false },
      this.ring,
      sink,
      (m) => {
        this.reported.push(m.t)
      },
    )
    this.#pollFds.setInt32(0, socket.fd, true)
    this.#pollFds.setInt16(4, POLLIN, true)
  }

  /** One iteration of a capture worker's loop. */
  look(): void {
    const ready = poll(new Uint8Array(this.#pollFds.buffer), 1, 0)
    this.#watch.check()
    if (ready > 0 && (this.#pollFds.getInt16(6, true) & POLLERR) !== 0) this.#watch.onError()
  }

  /** Whether frames of the interface that exists now reach the socket. */
  get captures(): boolean {
    const link = findInterface(this.#socket.fd, DEVICE)
    return link !== null && isAttached(this.#socket.fd, link.index)
  }

  close(): Promise<void> {
    return this.#sockets.close(this.#socket)
  }
}

const prepare = (t: TestContext): { namespace: Namespace; advance: (ms: number) => void } => {
  const namespace = Namespace.create()
  t.after(() => namespace.delete())
  let now = performance.now()
  t.mock.method(performance, 'now', () => now)
  return {
    namespace,
    advance: (ms) => {
      now += ms
    },
  }
}

test('interface watch: model: reports, ends flows and binds again as the events require', {
  skip: needs('root', 'ip'),
}, async (t) => {
  const { namespace, advance } = prepare(t)
  const change = fc.constantFrom<Change>('up', 'down', 'delete', 'create')
  const steps = fc.array(
    fc.record({ changes: fc.array(change, { minLength: 1, maxLength: 3 }), holdsFrames: fc.boolean() }),
    { minLength: 1, maxLength: 8 },
  )
  const property = fc.asyncProperty(steps, async (all) => {
    namespace.ip(...ADD.split(' '))
    namespace.ip('link', 'set', DEVICE, 'up')
    const model = new Model()
    const watched = new Watched(namespace)
    try {
      for (const { changes, holdsFrames } of all) {
        for (const command of changes) {
          const line = model.change(command)
          if (line !== null) namespace.ip(...line.split(' '))
        }
        watched.ring.holdsFrames = holdsFrames
        for (let looks = 0; looks < 5; looks++) {
          watched.look()
          advance(SETTLE_MS)
        }
        model.settle(!holdsFrames)
        const { lost, losses, endings } = model
        const reports = Array.from({ length: 2 * losses - (lost ? 1 : 0) }, (_, i) =>
          i % 2 === 0 ? 'interfaceLost' : 'interfaceBack',
        )
        assert.deepEqual(watched.reported, reports)
        assert.deepEqual(watched.endings, Array(endings).fill(ID))
        assert.equal(watched.counters[C.interfacesLost], losses)
        assert.equal(watched.counters[C.interfacesBack], losses - (lost ? 1 : 0))
        if (!lost) assert.ok(watched.captures)
      }
    } finally {
      await watched.close()
      if (model.exists) namespace.ip('link', 'delete', DEVICE)
    }
  })
  await fc.assert(property, { numRuns: 12, endOnFailure: true })
})

test('interface watch: ends the flows of a deleted interface only after its last frame can have been read', {
  skip: needs('root', 'ip'),
}, async (t) => {
  const { namespace, advance } = prepare(t)
  namespace.ip(...ADD.split(' '))
  namespace.ip('link', 'set', DEVICE, 'up')
  const watched = new Watched(namespace)
  t.after(() => watched.close())
  namespace.ip('link', 'delete', DEVICE)
  watched.look()
  watched.look()
  assert.deepEqual(watched.reported, ['interfaceLost'])
  advance(SETTLE_MS - 1)
  watched.look()
  assert.deepEqual(watched.endings, [])
  advance(1)
  watched.look()
  assert.deepEqual(watched.endings, [ID])
})
