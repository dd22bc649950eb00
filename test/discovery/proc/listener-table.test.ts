import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ListenerTable, parseListening } from '../../../src/discovery/proc/listener-table.ts'
import { ProcFiles } from '../../../src/discovery/proc/proc-files.ts'
import { type ProcessFacts, readProcess } from '../../../src/discovery/proc/process.ts'
import { FakeProc, HOST_NETNS, tcpSocket } from '../fake-proc.ts'

const uid = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`

/** A host whose sockets are those given, and a process in each of two pods with the host's network. */
class Host {
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
    this.#proc.put({ pid: 10, command: ['a'], cgroup: `/kubepods/pod${uid(1)}`, sockets: first })
    this.#proc.put({ pid: 20, command: ['b'], cgroup: `/kubepods/pod${uid(2)}`, sockets: second })
  }

  pods(...pids: number[]): Map<string, ProcessFacts[]> {
    return new Map(pids.map((pid) => [uid(pid / 10), [readProcess(this.#files, pid, HOST_NETNS) as ProcessFacts]]))
  }

  look(pods: Map<string, ProcessFacts[]>): (readonly number[])[] {
    return [...this.#table.look(1, pods).values()]
  }

  /** After enough passes that everything has been read again. */
  lookAgain(pods: Map<string, ProcessFacts[]>): (readonly number[])[] {
    for (let pass = 0; pass < 8; pass += 1) this.look(pods)
    return this.look(pods)
  }
}

test('listeners: ports by the pod whose process has the socket', (t) => {
  const host = new Host(t)
  host.set([tcpSocket(9100, 7), tcpSocket(80, 8), tcpSocket(22, 9)], [5, 8, 7], [])
  assert.deepEqual(host.look(host.pods(10, 20)), [[80, 9100], []])
})

test('listeners: what does not change is the same object; what comes and goes is seen', (t) => {
  const host = new Host(t)
  host.set([tcpSocket(80, 8)], [8])
  const pods = host.pods(10, 20)
  const [before] = host.look(pods)
  assert.equal(host.lookAgain(pods)[0], before)
  host.set([tcpSocket(80, 8), tcpSocket(81, 9)], [8], [9])
  assert.deepEqual(host.lookAgain(pods), [[80], [81]])
  host.set([tcpSocket(81, 9)], [], [9])
  assert.deepEqual(host.lookAgain(pods), [[], [81]])
})

test('listeners: a socket that was nobody’s is a new process’s', (t) => {
  const host = new Host(t)
  host.set([tcpSocket(80, 8)], [], [8])
  assert.deepEqual(host.look(host.pods(10)), [[]])
  assert.deepEqual(host.look(host.pods(10, 20)), [[], [80]])
  assert.deepEqual(host.look(host.pods(10)), [[]])
})

test('listeners: without pods nothing is read', (t) => {
  assert.deepEqual(new Host(t).look(new Map()), [])
})

test('parseListening: only what others can reach, and nothing after the first that does not listen', () => {
  const text = [
    'heading',
    tcpSocket(1, 11),
    tcpSocket(2, 12, '0100007F'),
    tcpSocket(3, 13, '00000000000000000000000001000000'),
    tcpSocket(4, 14, '0000000000000000FFFF00000100007F'),
    tcpSocket(5, 15, '0000000000000000FFFF00000202000A'),
    tcpSocket(6, 16, '0202000A', '01'),
    tcpSocket(7, 17),
    '',
  ]
  assert.deepEqual(
    [...parseListening(text.join('\n'))],
    [
      [11, 1],
      [15, 5],
    ],
  )
})

test('parseListening: a line that was cut says nothing', () => {
  const text = `heading\n${tcpSocket(1, 11)}\n${tcpSocket(2, 1234)}`
  assert.deepEqual([...parseListening(text.slice(0, -6))], [[11, 1]])
})
