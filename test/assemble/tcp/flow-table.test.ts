/** The table of flows, against a list that is searched from end to end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Arena } from '../../../src/assemble/memory/arena.ts'
import { PacketTime } from '../../../src/assemble/packet-time.ts'
import type { Direction, Flow } from '../../../src/assemble/tcp/flow.ts'
import { FlowTable } from '../../../src/assemble/tcp/flow-table.ts'
import { NO_FLOW } from '../../../src/assemble/tcp/recency-list.ts'
import { propertyRuns } from '../../support/property-runs.ts'

const CAPACITY = 8
const SECOND = 1_000_000
const IPV4_BYTES = 20
const IPV6_BYTES = 40

/** One end of a connection: the words of its address, one for IPv4 and four for IPv6, and its port. */
interface End {
  words: number[]
  port: number
}

/** Ends that differ in one part only, so that a lookup has to compare all of them. */
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

/** A flow as the list has it. */
interface Known {
  index: number
  /** Position in CONNECTIONS, and the network namespace. */
  connection: number
  domain: number
  networks: number[]
  isClosed: boolean
}

/** A segment of a connection, and what is done when the table does not have it. */
interface Lookup {
  do: 'find'
  connection: number
  isReply: boolean
  domain: number
  network: number
  otherwise: 'add' | 'join' | 'leave'
}

type Step = Lookup | { do: 'close' | 'remove'; which: number } | { do: 'settle' }

class Pair {
  readonly #arena = new Arena(1024, 0, 0, 64 * 1024)
  readonly #time = new PacketTime()
  readonly #table = new FlowTable(this.#arena, this.#time, CAPACITY, CAPACITY, 2)
  /** Open flows by their last segment, then closed ones by when they closed. */
  #open: Known[] = []
  #closed: Known[] = []

  run(step: Step): void {
    this.#time.micros += SECOND
    this.#time.clock = this.#time.micros
    if (step.do === 'find') this.#find(step)
    else if (step.do === 'settle') this.#table.active.settle()
    else if (step.do === 'close') this.#close(step.which)
    else this.#remove(step.which)
    const table = this.#table
    assert.equal(table.size, this.#open.length + this.#closed.length)
    assert.equal(table.full, table.size === CAPACITY)
    assert.equal(table.oldestOpen(false), this.#open.at(0)?.index ?? NO_FLOW)
    assert.equal(table.oldestOpen(true), NO_FLOW)
    assert.equal(table.oldestClosed, this.#closed.at(0)?.index ?? NO_FLOW)
    const seen: number[] = []
    table.eachOpen(({ index }) => void seen.push(index))
    assert.deepEqual(
      seen,
      this.#open.map(({ index }) => index),
    )
  }

  #find({ connection, isReply, domain, network, otherwise }: Lookup): void {
    const table = this.#table
    const [source, target] = isReply ? CONNECTIONS[connection].toReversed() : CONNECTIONS[connection]
    const found = this.#lookUp(source, target, domain, network)
    const same = [...this.#open, ...this.#closed].filter(
      (one) => one.connection === connection && one.domain === domain,
    )
    const known = same.find(({ networks }) => networks.includes(network))
    assert.equal(found?.index, known?.index)
    if (found !== null && known !== undefined) {
      this.#assertEnds(found, table.direction, source, target)
      if (!known.isClosed) this.#touch(found, known)
      return
    }
    assert.deepEqual(table.elsewhere.map(({ index }) => index).sort(), same.map(({ index }) => index).sort())
    if (otherwise === 'add') this.#add(connection, domain, network, source, target)
    else if (otherwise === 'join') this.#join(same, network)
  }

  #add(connection: number, domain: number, network: number, source: End, target: End): void {
    if (this.#table.full) return
    const { direction } = this.#table
    const flow = this.#table.add(0)
    this.#assertEnds(flow, direction, source, target)
    this.#open.push({ index: flow.index, connection, domain, networks: [network], isClosed: false })
  }

  /** A flow has two networks at most: joining a third changes nothing. */
  #join(same: readonly Known[], network: number): void {
    const [flow] = this.#table.elsewhere
    const known = same.find(({ index }) => index === flow?.index)
    if (flow === undefined || known === undefined) return
    this.#table.join(flow)
    if (known.networks.length === 1) known.networks.push(network)
  }

  #touch(flow: Flow, known: Known): void {
    this.#table.touch(flow)
    this.#open = [...this.#open.filter((one) => one !== known), known]
  }

  #close(which: number): void {
    const known = this.#open[which]
    if (known === undefined) return
    this.#table.close(this.#table.at(known.index))
    known.isClosed = true
    this.#open = this.#open.filter((one) => one !== known)
    this.#closed.push(known)
  }

  #remove(which: number): void {
    const known = [...this.#closed, ...this.#open][which]
    if (known === undefined) return
    this.#table.remove(known.index)
    this.#open = this.#open.filter((one) => one !== known)
    this.#closed = this.#closed.filter((one) => one !== known)
  }

  #assertEnds(flow: Flow, direction: Direction, source: End, target: End): void {
    const table = this.#table
    assert.equal(table.isIpv6(flow), source.words.length > 1)
    const other: Direction = direction === 0 ? 1 : 0
    for (const [end, from] of [
      [source, direction],
      [target, other],
    ] as const) {
      assert.equal(table.port(flow, from), end.port)
      assert.deepEqual(
        end.words.map((_, word) => table.addressWord(flow, from, word)),
        end.words,
      )
    }
  }

  /** Lays the headers of a segment into the arena and looks its flow up. All hashes are equal: the worst case. */
  #lookUp(source: End, target: End, domain: number, network: number): Flow | null {
    const { view, input: ip } = this.#arena
    const isV6 = source.words.length > 1
    const tcp = ip + (isV6 ? IPV6_BYTES : IPV4_BYTES)
    view.setUint8(ip, isV6 ? 0x60 : 0x45)
    const at = ip + (isV6 ? 8 : 12)
    for (const [position, word] of [...source.words, ...target.words].entries()) view.setInt32(at + 4 * position, word)
    view.setUint16(tcp, source.port)
    view.setUint16(tcp + 2, target.port)
    return this.#table.find(ip, tcp, domain, network, 0)
  }
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
  { weight: 1, arbitrary: fc.constant({ do: 'settle' as const }) },
)

test('flow table: finds, lists and evicts what a list of all flows would', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const pair = new Pair()
      for (const one of steps) pair.run(one)
    }),
    { numRuns: propertyRuns(200) },
  )
})
