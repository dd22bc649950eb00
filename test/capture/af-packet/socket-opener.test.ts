/** Real packet sockets: which frames reach each ring, and what is left of them in the process. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { needs } from '../../../rig/needs.ts'
import type { Namespace } from '../../../rig/netns.ts'
import { NoInterfaceError } from '../../../src/capture/af-packet/bare-socket.ts'
import { SETTLE_MS } from '../../../src/capture/af-packet/ring-geometry.ts'
import { RingReader } from '../../../src/capture/af-packet/ring-reader.ts'
import { type CaptureRules, type PacketSocket, SocketOpener } from '../../../src/capture/af-packet/socket-opener.ts'
import { EXIT_USAGE, InterceptorError } from '../../../src/errors.ts'
import { viewMemory } from '../../../src/sys/ffi.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { ALL, FRAMES, FROM, lend, NumberedSink, OPTIONS, RingRig, SOURCE_PORT, TO, vethPair } from './ring-rig.ts'

type Rules = Omit<CaptureRules, 'device' | 'netns'>

const skip = needs('linux', 'root', 'ip', 'tcpreplay', 'libpcap')
const MIB = 1024 * 1024

/** Waits until every frame that was sent has passed the filters. */
const settle = (): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SETTLE_MS)

/** Numbers of all frames in a ring, into which no frame is being written. */
function numbersIn(socket: PacketSocket): number[] {
  const sink = new NumberedSink()
  const reader = new RingReader(lend(socket, 0), viewMemory(socket.address, socket.blockBytes * socket.blockCount))
  reader.finish()
  for (; reader.readyBytes > 0; reader.release()) reader.deliverBlock(sink)
  return sink.numbers(0)
}

/** How many packet sockets a namespace has, and how many rings are mapped into this process. */
function held(namespace: Namespace): { sockets: number; rings: number } {
  const [, ...sockets] = namespace.exec('cat', '/proc/net/packet').trim().split('\n')
  return { sockets: sockets.length, rings: readFileSync('/proc/self/maps', 'utf8').split('socket:').length - 1 }
}

/** Ports that some rules name: every other group of five. */
const SOME_PORTS = Array.from({ length: 40 }, (_, i) => ({ first: 10 * i + 5, last: 10 * i + 9 }))
/** Excluded by the options. */
const EXCLUDED_PORT = 7
/** As BPF expression of the options, and as what it says. */
const EXPRESSION = 'tcp[2:2] & 3 != 0'
const inExpression = (number: number): boolean => number % 4 !== 0

const rules: fc.Arbitrary<Rules> = fc.record({
  excludePorts: fc.oneof(
    { weight: 4, arbitrary: fc.array(fc.integer({ min: 1, max: FRAMES }), { maxLength: 3 }) },
    fc.constant([SOURCE_PORT]),
  ),
  onlyAddresses: fc.constantFrom(null, null, [FROM], [TO], [FROM, '10.78.0.3'], ['10.78.0.3']),
  onlyPorts: fc.constantFrom(null, SOME_PORTS, [{ first: SOURCE_PORT, last: SOURCE_PORT }]),
  tunnels: fc.boolean(),
})

function passes(number: number, { excludePorts, onlyAddresses, onlyPorts }: Rules): boolean {
  const ports = [SOURCE_PORT, number]
  if (ports.some((port) => port === EXCLUDED_PORT || excludePorts.includes(port))) return false
  if (onlyAddresses !== null && ![FROM, TO].some((address) => onlyAddresses.includes(address))) return false
  const isListed = onlyPorts?.some(({ first, last }) => ports.some((port) => port >= first && port <= last)) ?? true
  return isListed && inExpression(number)
}

/** What is done with the sockets, named by the order of their opening. */
type Step =
  | { do: 'open'; rules: Rules; isBound: boolean }
  | { do: 'send' }
  | { do: 'bind' | 'close'; nth: number }
  | Refilter
type Refilter = { do: 'filter'; nth: number; rules: Rules }

const nth = fc.nat(3)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('open' as const), rules, isBound: fc.boolean() }),
  fc.record({ do: fc.constant('send' as const) }),
  fc.record({ do: fc.constant('filter' as const), nth, rules }),
  fc.record({ do: fc.constantFrom('bind' as const, 'bind' as const, 'close' as const), nth }),
)

/** A socket, and the frames that its ring is to hold. */
interface Opened {
  readonly socket: PacketSocket
  rules: Rules
  isBound: boolean
  readonly expected: number[]
}

test('SocketOpener: model: a ring has the frames that pass its rules while it is bound, and is freed by a close', {
  skip,
}, async (t) => {
  const pair = vethPair(t)
  const index = Number(/^(\d+): eth0/m.exec(pair[1].ip('link', 'show', 'eth0'))?.[1])
  await fc.assert(
    fc.asyncProperty(rules, fc.array(step, { maxLength: 14 }), async (first, steps) => {
      const exclude = [{ address: null, port: EXCLUDED_PORT }]
      const rig = new RingRig(t, pair, { exclude, filter: EXPRESSION, tunnels: ['vxlan'] })
      const opened: Opened[] = []
      const open = (wanted: Rules): Opened => {
        const one = { socket: rig.openSocket(wanted), rules: wanted, isBound: false, expected: [] }
        opened.push(one)
        return one
      }
      const bind = (one: Opened): void => {
        assert.equal(rig.sockets.bind(one.socket), index)
        one.isBound = true
      }
      const close = async (one: Opened): Promise<void> => {
        settle()
        assert.deepEqual(numbersIn(one.socket), one.expected)
        opened.splice(opened.indexOf(one), 1)
        await rig.close(one.socket)
      }
      bind(open(first))
      for (const one of [...steps, { do: 'send' } as const]) {
        const subject = 'nth' in one ? opened[one.nth] : undefined
        if (one.do === 'open') {
          const added = open(one.rules)
          if (one.isBound) bind(added)
        } else if (one.do === 'send') {
          const sent = rig.send()
          settle()
          for (const { isBound, expected, rules } of opened) {
            if (isBound) expected.push(...sent.filter((number) => passes(number, rules)))
          }
        } else if (subject === undefined) continue
        else if (one.do === 'bind') bind(subject)
        else if (one.do === 'filter') {
          rig.sockets.filter(subject.socket, one.rules)
          subject.rules = one.rules
        } else await close(subject)
        assert.deepEqual(held(pair[1]), { sockets: opened.length, rings: opened.length })
      }
      for (const one of [...opened]) await close(one)
    }),
    {
      numRuns: propertyRuns(30),
      endOnFailure: true,
      examples: [
        // The second socket gets the descriptor of the first.
        [
          ALL,
          [
            { do: 'close', nth: 0 },
            { do: 'open', rules: ALL, isBound: true },
          ],
        ],
        [{ ...ALL, onlyPorts: SOME_PORTS }, [{ do: 'send' }, { do: 'filter', nth: 0, rules: ALL }]],
      ],
    },
  )
})

test('SocketOpener: a ring has the size of the options unless another is wanted', { skip }, (t) => {
  const rig = new RingRig(t, vethPair(t), { ringBytes: 2 * MIB, initialRingBytes: MIB, promiscuous: true })
  const { sockets } = rig
  assert.deepEqual([sockets.maxRingBytes, sockets.initialRingBytes, sockets.promiscuous], [2 * MIB, MIB, true])
  for (const wanted of [undefined, sockets.initialRingBytes]) {
    const { blockBytes, blockCount } = rig.openSocket(ALL, wanted)
    assert.equal(blockBytes * blockCount, wanted ?? 2 * MIB)
  }
})

test('SocketOpener: a bound socket makes its interface promiscuous where the options say so', { skip }, async (t) => {
  const pair = vethPair(t)
  const count = (): string | undefined => /promiscuity (\d+)/.exec(pair[1].ip('-d', 'link', 'show', 'eth0'))?.[1]
  for (const [promiscuous, expected] of [
    [false, '0'],
    [true, '1'],
  ] as const) {
    const rig = new RingRig(t, pair, { promiscuous })
    const socket = rig.openSocket()
    rig.sockets.bind(socket)
    assert.equal(count(), expected)
    await rig.close(socket)
    assert.equal(count(), '0')
  }
})

test('SocketOpener: a socket that is bound is not bound again, even where its interface is gone', { skip }, (t) => {
  const pair = vethPair(t)
  const rig = new RingRig(t, pair)
  const socket = rig.openSocket()
  const index = rig.sockets.bind(socket)
  pair[1].ip('link', 'delete', 'eth0')
  assert.equal(rig.sockets.bind(socket), index)
})

test('SocketOpener: a socket that cannot be opened leaves nothing behind', { skip }, async (t) => {
  const [, namespace] = vethPair(t)
  const wanted = { device: 'eth0', netns: { path: namespace.path, inode: null }, ...ALL }
  const bad = new SocketOpener({ ...OPTIONS, filter: 'tcp prt 80' })
  const isUsage = (error: unknown): boolean => error instanceof InterceptorError && error.exitCode === EXIT_USAGE
  assert.throws(() => bad.open(wanted), isUsage)
  assert.throws(() => bad.checkExpression(), isUsage)
  const good = new SocketOpener(OPTIONS)
  good.checkExpression()
  assert.throws(() => good.open({ ...wanted, device: 'eth1' }), NoInterfaceError)
  // Descriptors are closed in the thread pool.
  for (let turns = 0; held(namespace).sockets > 0; turns++) {
    assert.ok(turns < 200, 'a socket stays open')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.equal(held(namespace).rings, 0)
})
