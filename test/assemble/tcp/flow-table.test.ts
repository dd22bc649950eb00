/** The flow table, against a list that is searched linearly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { flowHash } from '../../../src/capture/intake/flow-hash.ts'
import { packet, tcp } from '../../support/frames.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { Random } from '../oracle/random.ts'
import { TcpProgram } from './tcp-program.ts'

const CAPACITY = 8
const MANY = 100_000
const SECOND = 1_000_000
const IPV4_BYTES = 20
const IPV6_BYTES = 40
const NO_FLOW = 0

/** One end of a connection: the words of its address, one for IPv4 and four for IPv6, and its port. */
interface End {
  words: number[]
  port: number
}

/** Endpoints that differ in one part only, so that a lookup has to compare all parts. */
const CONNECTIONS: readonly (readonly [End, End])[] = [
  [
    { words: [0x0a000001], port: 1000 },
    { words: [0x0a000002], port: 80 },
  ],
  [
    { words: [0x0a000001], port: 1001 },
    { words: [0x0a000002], port: 80 },
  ],
  [
    { words: [0x0a000001], port: 80 },
    { words: [0x0a000002], port: 1000 },
  ],
  [
    { words: [-0x0a000001], port: 1000 },
    { words: [0x0a000002], port: 80 },
  ],
  [
    { words: [0x0a000001], port: 1000 },
    { words: [0x0a000001], port: 80 },
  ],
  [
    { words: [0x0a000001, 0, 0, 0], port: 1000 },
    { words: [0x0a000002, 0, 0, 0], port: 80 },
  ],
  [
    { words: [0x0a000001, 0, 0, 1], port: 1000 },
    { words: [0x0a000002, 0, 0, 0], port: 80 },
  ],
  [
    { words: [0x0a000001, 0, 0, 0], port: 1000 },
    { words: [0x0a000002, 7, 0, 0], port: 80 },
  ],
]

/** A flow in the list. */
interface Known {
  flow: number
  /** Position in CONNECTIONS, and the network namespace. */
  connection: number
  domain: number
  networks: number[]
  isClosed: boolean
}

/** A segment of a connection, and the action if the table does not contain it. */
interface Lookup {
  do: 'find'
  connection: number
  isReply: boolean
  domain: number
  network: number
  otherwise: 'add' | 'join' | 'leave'
}

type Step = Lookup | { do: 'close' | 'remove'; which: number }

class Pair {
  readonly #program = new TcpProgram({}, { flows: CAPACITY, poolBytes: 64 * 1024 })
  readonly #table = this.#program.exports
  #micros = 0
  /** Open flows in the order of their last segments, then closed ones in the order of closing. */
  #open: Known[] = []
  #closed: Known[] = []

  run(step: Step): void {
    this.#micros += SECOND
    this.#table.setClock(this.#micros)
    if (step.do === 'find') this.#find(step)
    else if (step.do === 'close') this.#close(step.which)
    else this.#remove(step.which)
    const table = this.#table
    assert.equal(table.flowCount(), this.#open.length + this.#closed.length)
    assert.equal(table.tableIsFull(), table.flowCount() === CAPACITY ? 1 : 0)
    assert.equal(table.oldestOpen(1), NO_FLOW)
    assert.equal(table.oldestClosed(), this.#closed.at(0)?.flow ?? NO_FLOW)
    assert.deepEqual(
      listed(table.oldestOpen(0), (flow) => table.newerOf(flow)),
      this.#open.map(({ flow }) => flow),
    )
  }

  end(): void {
    this.#program.recycle()
  }

  #find({ connection, isReply, domain, network, otherwise }: Lookup): void {
    const table = this.#table
    const [source, target] = isReply ? CONNECTIONS[connection].toReversed() : CONNECTIONS[connection]
    const found = this.#lookUp(source, target, domain, network)
    const same = [...this.#open, ...this.#closed].filter(
      (one) => one.connection === connection && one.domain === domain,
    )
    const known = same.find(({ networks }) => networks.includes(network))
    assert.equal(found, known?.flow ?? NO_FLOW)
    if (known !== undefined) {
      this.#assertEnds(found, table.foundDirection(), source, target)
      if (!known.isClosed) this.#touch(found, known)
      return
    }
    const elsewhere = listed(table.nextInOtherNetwork(NO_FLOW), (flow) => table.nextInOtherNetwork(flow))
    assert.deepEqual(elsewhere.toSorted(), same.map(({ flow }) => flow).sort())
    if (otherwise === 'add') this.#add(connection, domain, network, source, target)
    else if (otherwise === 'join') this.#join(same, network)
  }

  #add(connection: number, domain: number, network: number, source: End, target: End): void {
    if (this.#table.tableIsFull() !== 0) return
    const direction = this.#table.foundDirection()
    const flow = this.#table.addFlow(0)
    this.#assertEnds(flow, direction, source, target)
    this.#open.push({ flow, connection, domain, networks: [network], isClosed: false })
  }

  /** A flow has at most two networks: joining a third changes nothing. */
  #join(same: readonly Known[], network: number): void {
    const flow = this.#table.nextInOtherNetwork(NO_FLOW)
    const known = same.find((one) => one.flow === flow)
    if (known === undefined) return
    this.#table.join(flow)
    if (known.networks.length === 1) known.networks.push(network)
  }

  #touch(flow: number, known: Known): void {
    this.#table.touch(flow)
    this.#open = [...this.#open.filter((one) => one !== known), known]
  }

  #close(which: number): void {
    const known = this.#open[which]
    if (known === undefined) return
    this.#table.closeFlow(known.flow)
    known.isClosed = true
    this.#open = this.#open.filter((one) => one !== known)
    this.#closed.push(known)
  }

  #remove(which: number): void {
    const known = [...this.#closed, ...this.#open][which]
    if (known === undefined) return
    this.#table.removeFlow(known.flow)
    this.#open = this.#open.filter((one) => one !== known)
    this.#closed = this.#closed.filter((one) => one !== known)
  }

  #assertEnds(flow: number, direction: number, source: End, target: End): void {
    const table = this.#table
    assert.equal(table.isIpv6(flow), source.words.length > 1 ? 1 : 0)
    for (const [end, from] of [
      [source, direction],
      [target, 1 - direction],
    ] as const) {
      assert.equal(table.portOf(flow, from), end.port)
      assert.deepEqual(
        end.words.map((_, word) => table.addressWord(flow, from, word)),
        end.words,
      )
    }
  }

  #lookUp(source: End, target: End, domain: number, network: number): number {
    return lookUp(this.#program, source, target, domain, network)
  }
}

/** Writes the headers of a segment to the memory and looks its flow up. @returns NO_FLOW if there is none */
function lookUp(program: TcpProgram, source: End, target: End, domain: number, network: number): number {
  const { view, input: ip } = program
  const isV6 = source.words.length > 1
  const tcp = ip + (isV6 ? IPV6_BYTES : IPV4_BYTES)
  view.setUint8(ip, isV6 ? 0x60 : 0x45)
  const at = ip + (isV6 ? 8 : 12)
  for (const [position, word] of [...source.words, ...target.words].entries()) view.setInt32(at + 4 * position, word)
  view.setUint16(tcp, source.port)
  view.setUint16(tcp + 2, target.port)
  return program.exports.find(ip, tcp, domain, network, 0)
}

/** The members of a list. @param first of them, or NO_FLOW */
function listed(first: number, next: (flow: number) => number): number[] {
  const flows: number[] = []
  for (let flow = first; flow !== NO_FLOW; flow = next(flow)) flows.push(flow)
  return flows
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('find' as const),
      connection: fc.nat(CONNECTIONS.length - 1),
      isReply: fc.boolean(),
      domain: fc.nat(1),
      network: fc.nat(2),
      otherwise: fc.constantFrom('add' as const, 'add' as const, 'join' as const, 'leave' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('close' as const, 'remove' as const), which: fc.nat(9) }) },
)

test('flow table: agrees with a list of all flows on lookup, order and eviction', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const pair = new Pair()
      for (const one of steps) pair.run(one)
      pair.end()
    }),
    { numRuns: propertyRuns(200) },
  )
})

interface Key {
  source: End
  target: End
  domain: number
}

/** Random endpoints over all addresses, half of them IPv6; some words have all bits set, or only the highest. */
function randomKey(random: Random): Key {
  const words = random.oneIn(2) ? 1 : 4
  const word = (): number =>
    random.oneIn(8) ? random.pick([0, 1, 0x7fffffff, -0x80000000, -1]) : random.below(2 ** 32) | 0
  const end = (): End => ({ words: Array.from({ length: words }, word), port: random.below(2 ** 16) })
  return { source: end(), target: end(), domain: random.below(2 ** 16) }
}

/** A key that differs for different connections, whichever endpoint is the source. */
function nameOf({ source, target, domain }: Key): string {
  return [domain, ...[String([source.port, ...source.words]), String([target.port, ...target.words])].sort()].join('|')
}

test('flow table: adds, finds and removes 100,000 flows of any addresses', () => {
  const random = new Random(20_261_129)
  const keys = new Map<string, Key>()
  while (keys.size < MANY) {
    const key = randomKey(random)
    keys.set(nameOf(key), key)
  }
  const program = new TcpProgram({}, { flows: MANY, poolBytes: 64 * 1024 })
  const table = program.exports
  const flows = new Map<Key, number>()
  for (const key of keys.values()) {
    assert.equal(lookUp(program, key.source, key.target, key.domain, 0), NO_FLOW)
    flows.set(key, table.addFlow(0))
  }
  for (const isRemoved of [() => random.oneIn(2), () => true]) {
    for (const [key, flow] of flows) {
      assert.equal(lookUp(program, key.target, key.source, key.domain, 0), flow)
      if (!isRemoved()) continue
      table.removeFlow(flow)
      flows.delete(key)
      assert.equal(lookUp(program, key.source, key.target, key.domain, 0), NO_FLOW)
    }
    assert.equal(table.flowCount(), flows.size)
  }
  program.recycle()
})

/** The hash of the flow that is added for a segment. @param given for it: its hash, or the secret */
function addedHash(bytes: Uint8Array, isSecret: boolean, given: number, domain: number): number {
  const program = new TcpProgram({}, { flows: CAPACITY, poolBytes: 64 * 1024 })
  const table = program.exports
  const tcpAt = program.input + (bytes[0] >> 4 === 4 ? IPV4_BYTES : IPV6_BYTES)
  program.bytes.set(bytes, program.input)
  table.takeSecrets(isSecret ? 1 : 0)
  assert.equal(table.find(program.input, tcpAt, domain, 0, given), NO_FLOW)
  const hash = table.hashOf(table.addFlow(0))
  program.recycle()
  return hash
}

test('flow table: a connection has the same hash whether its frames come with the hash or with its secret', () => {
  const byte = fc.nat(255)
  const port = fc.nat(65_535)
  for (const length of [4, 16]) {
    const address = fc.array(byte, { minLength: length, maxLength: length })
    fc.assert(
      fc.property(address, address, port, port, fc.integer(), fc.nat(65_535), (a, b, p, q, secret, domain) => {
        const bytes = packet({ source: a, destination: b, protocol: 6, payload: tcp(p, q) })
        const version = length === 4 ? 4 : 6
        const at = version === 4 ? IPV4_BYTES : IPV6_BYTES
        const hash = flowHash(new DataView(bytes.buffer), version, 0, at, secret)
        assert.equal(addedHash(bytes, true, secret, domain), addedHash(bytes, false, hash, domain))
      }),
      { numRuns: propertyRuns(100) },
    )
  }
})
