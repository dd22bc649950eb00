import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type Listener, ListenerTable, parseListening } from '../../../src/discovery/proc/listener-table.ts'
import { ProcFiles } from '../../../src/discovery/proc/proc-files.ts'
import { type ProcessFacts, readProcess } from '../../../src/discovery/proc/process.ts'
import { FakeProc, HOST_NETNS, tcpSocket } from '../fake-proc.ts'

const uid = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
const containerId = (index: number): string => String(index).padStart(64, 'a')
const LOOPBACK = '0100007F'

/** A namespace with the given sockets, and two processes, each in a pod of its own, that may own them. */
class Namespace {
  readonly #proc: FakeProc
  readonly #files: ProcFiles
  readonly #table: ListenerTable

  constructor(t: TestContext) {
    this.#proc = FakeProc.create(t)
    this.#files = new ProcFiles(this.#proc.root)
    this.#table = new ListenerTable(this.#files)
  }

  set(tcp: readonly string[], first: readonly number[], second: readonly number[] = []): void {
    this.#proc.put({ pid: 1, network: { tcp } })
    this.#proc.put({ pid: 10, command: ['a'], cgroup: `/kubepods/pod${uid(1)}/${containerId(1)}`, sockets: first })
    this.#proc.put({ pid: 20, command: ['b'], cgroup: `/kubepods/pod${uid(2)}/${containerId(2)}`, sockets: second })
  }

  exit(): void {
    this.#proc.remove(1)
  }

  processes(...pids: number[]): ProcessFacts[] {
    return pids.map((pid) => readProcess(this.#files, pid, HOST_NETNS) as ProcessFacts)
  }

  read(processes: readonly ProcessFacts[]): readonly Listener[] {
    this.#table.beginScan()
    return this.#table.read(HOST_NETNS, 1, processes)
  }

  /** Reads after enough scans to notice a change. */
  readLater(processes: readonly ProcessFacts[], scans = 300): readonly Listener[] {
    for (let scan = 0; scan < scans; scan += 1) this.read(processes)
    return this.read(processes)
  }
}

/** `port@owner` each; `~` marks a port that only loopback reaches. */
const shown = (listeners: readonly Listener[]): string[] =>
  listeners.map(({ port, loopbackOnly, podUid }) => {
    return `${port}${loopbackOnly ? '~' : ''}@${podUid === null ? '' : podUid.at(-1)}`
  })

test('ListenerTable: attributes sockets to the pods and containers whose processes own them', (t) => {
  const namespace = new Namespace(t)
  namespace.set(
    [tcpSocket(9100, 7), tcpSocket(80, 8), tcpSocket(22, 9), tcpSocket(8080, 10, LOOPBACK)],
    [5, 8, 7],
    [10],
  )
  const listeners = namespace.read(namespace.processes(10, 20))
  assert.deepEqual(shown(listeners), ['22@', '80@1', '8080~@2', '9100@1'])
  assert.deepEqual(listeners[1], { port: 80, loopbackOnly: false, podUid: uid(1), containerId: containerId(1) })
})

test('ListenerTable: reuses unchanged objects, and notices sockets that are opened and closed', (t) => {
  const namespace = new Namespace(t)
  namespace.set([tcpSocket(80, 8)], [8])
  const processes = namespace.processes(10, 20)
  const before = namespace.read(processes)
  assert.equal(namespace.readLater(processes), before)
  namespace.set([tcpSocket(80, 8), tcpSocket(81, 9)], [8], [9])
  const both = namespace.readLater(processes)
  assert.deepEqual(shown(both), ['80@1', '81@2'])
  assert.equal(both[0], before[0])
  namespace.set([tcpSocket(81, 9)], [], [9])
  assert.deepEqual(shown(namespace.readLater(processes)), ['81@2'])
})

test('ListenerTable: notices a socket sooner where their number has changed than where one replaced another', (t) => {
  const namespace = new Namespace(t)
  const passesUntilSeen = (tcp: readonly string[], port: number): number => {
    namespace.set(tcp, [8, 9])
    for (let scan = 1; ; scan += 1) if (namespace.read(processes).some((one) => one.port === port)) return scan
  }
  namespace.set([tcpSocket(80, 8)], [8, 9])
  const processes = namespace.processes(10)
  namespace.readLater(processes, 100)
  assert.ok(passesUntilSeen([tcpSocket(80, 8), tcpSocket(81, 9)], 81) <= 32)
  const replaced = passesUntilSeen([tcpSocket(80, 8), tcpSocket(82, 9)], 82)
  assert.ok(replaced > 128 && replaced <= 256, `${replaced} scans`)
})

test('ListenerTable: a new process can own a socket whose owner was unknown', (t) => {
  const namespace = new Namespace(t)
  namespace.set([tcpSocket(80, 8)], [], [8])
  assert.deepEqual(shown(namespace.read(namespace.processes(10))), ['80@'])
  assert.deepEqual(shown(namespace.read(namespace.processes(10, 20))), ['80@2'])
})

test('ListenerTable: without processes nothing is read', (t) => {
  assert.deepEqual(new Namespace(t).read([]), [])
})

test('ListenerTable: keeps the listeners when the process it reads through has exited', (t) => {
  const namespace = new Namespace(t)
  namespace.set([tcpSocket(80, 8)], [8])
  const processes = namespace.processes(10)
  const before = namespace.read(processes)
  namespace.exit()
  assert.equal(namespace.readLater(processes), before)
})

test('ListenerTable: drops a namespace that was not requested', (t) => {
  const namespace = new Namespace(t)
  namespace.set([tcpSocket(80, 8)], [8])
  const before = namespace.read(namespace.processes(10))
  namespace.read([])
  namespace.read([])
  const again = namespace.read(namespace.processes(10))
  assert.notEqual(again, before)
  assert.deepEqual(again, before)
})

test('ListenerTable: model: after a change of the processes it reports exactly the current sockets', (t) => {
  const namespace = new Namespace(t)
  const socket = fc.record({
    port: fc.integer({ min: 1, max: 9 }),
    owner: fc.constantFrom(0, 1, 2),
    loopback: fc.boolean(),
  })
  const sockets = fc.uniqueArray(socket, { maxLength: 5, selector: ({ port }) => port })
  let alternate = false
  fc.assert(
    fc.property(sockets, (all) => {
      // The socket's port doubles as its inode.
      const owned = (owner: number): number[] => all.filter((one) => one.owner === owner).map(({ port }) => port)
      const lines = all.map(({ port, loopback }) => tcpSocket(port, port, loopback ? LOOPBACK : undefined))
      namespace.set(lines, owned(1), owned(2))
      alternate = !alternate
      const processes = namespace.processes(...(alternate ? [10, 20] : [20, 10]))
      namespace.read([])
      namespace.read([])
      const expected = [...all].sort((left, right) => left.port - right.port)
      assert.deepEqual(
        shown(namespace.read(processes)),
        expected.map(({ port, owner, loopback }) => `${port}${loopback ? '~' : ''}@${owner === 0 ? '' : owner}`),
      )
    }),
    { numRuns: 50 },
  )
})

test('parseListening: marks sockets on loopback, and ends at the first socket that does not listen', () => {
  const text = [
    'heading',
    tcpSocket(1, 11),
    tcpSocket(2, 12, LOOPBACK),
    tcpSocket(3, 13, '00000000000000000000000001000000'),
    tcpSocket(4, 14, '0000000000000000FFFF00000100007F'),
    tcpSocket(5, 15, '0000000000000000FFFF00000202000A'),
    tcpSocket(6, 16, '0202000A', '01'),
    tcpSocket(7, 17),
    '',
  ]
  assert.deepEqual(
    [...parseListening(text.join('\n'))].map(([inode, { port, loopbackOnly }]) => [inode, port, loopbackOnly]),
    [
      [11, 1, false],
      [12, 2, true],
      [13, 3, true],
      [14, 4, true],
      [15, 5, false],
    ],
  )
})

test('parseListening: ignores a truncated last line', () => {
  const text = `heading\n${tcpSocket(1, 11)}\n${tcpSocket(2, 1234)}`
  assert.deepEqual([...parseListening(text.slice(0, -6)).keys()], [11])
})
