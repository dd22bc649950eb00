/**
 * The functions that the program imports (core/host.ts): rules with wildcards, names, vantages, preambles. They are
 * called rarely, or once per connection.
 */
import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import type { TrafficBlock } from '../../ledger/traffic.ts'
import { connectionCheck, type OpaqueMarks } from '../../ring/opaque-marks.ts'
import type { PairSelector } from '../../select/selector.ts'
import type { VantagePolicy } from '../../target/interface-info.ts'
import { FIRST_END, FIRST_START, RESULTS_AT, SECOND_END, SECOND_START } from '../core/head/layout.ts'
import type { Direction } from '../direction.ts'
import type { Filter } from '../filter.ts'
import { protocolName } from '../protocol-name.ts'
import { ServerName } from '../server-name.ts'
import { Vantages } from '../vantage/vantage.ts'
import { CaptureExtras } from './capture-extras.ts'
import { FlowPreambles } from './flow-preambles.ts'
import { HostFlow } from './host-flow.ts'
import type { ProgramMemory } from './memory.ts'
import { Names } from './names.ts'
import { type Address, type Program, type ProgramHost, startProgram } from './program.ts'

const C = ASSEMBLE_COUNTERS.index
const COUNTER_BYTES = 8

export interface HostParts {
  memory: ProgramMemory
  filter: Filter
  policy: VantagePolicy
  selector: PairSelector | null
  node: string
  /** The block in which an interface is counted, if its counts are read. */
  traffic(id: number): TrafficBlock | undefined
  /** Passes the pairs in the output on, and empties it. */
  passPairs(): void
}

/** Starts the program, and implements its imports. */
export class AssemblerHost {
  readonly program: Program
  readonly names: Names
  readonly vantages: Vantages
  /** Of the ring whose records are being processed; null: its producer leaves no payload out. */
  marks: OpaqueMarks | null = null
  readonly #parts: HostParts
  readonly #flow: HostFlow
  readonly #preambles: FlowPreambles
  readonly #extras: CaptureExtras
  readonly #serverName = new ServerName()

  constructor(parts: HostParts) {
    const { memory, node, policy } = parts
    this.#parts = parts
    const program = startProgram(memory.memory, this.#imports())
    memory.configure(program)
    this.program = program
    this.#flow = new HostFlow(program)
    this.#preambles = new FlowPreambles(memory, program)
    this.#extras = new CaptureExtras(memory)
    this.names = new Names(memory, program, node)
    this.vantages = new Vantages(policy)
  }

  #imports(): ProgramHost {
    return { ...this.#flowImports(), ...this.#ruleImports(), ...this.#markImports() }
  }

  /** Imports about a connection. */
  #flowImports(): ProgramHost {
    return {
      hostJudge: (flow) => this.vantages.judge(this.#at(flow)),
      hostIsLocal: (flow, direction) => number(this.vantages.isLocal(this.#at(flow), direction as Direction)),
      hostJudgeHost: (at, end) => this.vantages.judgeHost(this.#latin1(at, end)),
      hostName: (flow) => this.#name(flow),
      hostMaps: (id) => this.names.storeMaps(id),
      hostOpaque: (flow, counter, at, end) => this.#countName(flow, counter / COUNTER_BYTES, at, end),
      hostPreamble: (flow, direction, at, end, seq, ack) =>
        this.#preambles.skip(flow, direction as Direction, at, end, seq, ack),
      hostForwarded: (flow, map, end, request) => this.#addExtras(flow, map, end, request),
    }
  }

  #addExtras(flow: Address, map: Address, end: Address, request: Address): Address {
    const at = request === 0 ? end : this.#extras.addForwarded(map, end, request)
    const endpoints = this.#preambles.endpointsAt(flow)
    return endpoints === 0 ? at : this.#extras.addProxied(map, at, endpoints, this.#preambles.endpointsEnd(flow))
  }

  /** Imports about a head or a pair. */
  #ruleImports(): ProgramHost {
    const { filter, selector, memory, passPairs } = this.#parts
    const { bytes } = memory
    return {
      hostPassPairs: passPairs,
      hostContentType: (at, end) => number(filter.contentType(bytes, at, end)),
      hostListsPath: (at, end) => number(filter.target(bytes, at, end)),
      hostListsStatus: (status) => number(filter.include.status(status)),
      hostListsHost: (at, end) => number(filter.include.host(bytes, at, end)),
      hostIncludes: (flow, hostListed) => number(this.#includes(flow, hostListed !== 0)),
      hostSelects: (at, length) => number(selector?.selects(bytes.subarray(at, at + length)) === true),
    }
  }

  #markImports(): ProgramHost {
    const { view } = this.#parts.memory
    return {
      hostMark: (ip, tcp, interfaceId, network, hash, generation) => {
        const { marks } = this
        if (marks === null || marks.isMarked(hash, generation)) return
        marks.mark(hash, connectionCheck(view, ip, tcp, interfaceId, network), generation)
      },
      hostErase: (hash) => this.marks?.erase(hash),
    }
  }

  /** The flow at this address, valid until the next call. */
  #at(flow: Address): HostFlow {
    return this.#flow.moveTo(flow)
  }

  #name(flow: Address): void {
    const view = this.#at(flow)
    this.vantages.name(view)
    this.names.storePods(view)
  }

  /** Whether the request scanned last is on the lists of `filter.include` that its head and its ends decide. */
  #includes(flow: Address, hostListed: boolean): boolean {
    const { filter, memory } = this.#parts
    const { include } = filter
    const result = (offset: number): Address => memory.view.getInt32(RESULTS_AT + offset, true)
    if (include.hasRequestRules) {
      if (!include.method(memory.bytes, result(FIRST_START), result(FIRST_END))) return false
      if (!include.target(memory.bytes, result(SECOND_START), result(SECOND_END))) return false
      if (include.hasHosts && !hostListed) return false
    }
    return !include.hasPods || this.vantages.hasIncludedPod(this.#at(flow), include)
  }

  /** Counts the server's name of a TLS connection, or the name of another protocol, from the bytes [at, end). */
  #countName(flow: Address, counter: number, at: Address, end: Address): void {
    const block = this.#parts.traffic(this.program.flowInterface(flow))
    if (block === undefined) return
    const { bytes } = this.#parts.memory
    if (counter === C.protocolTls) {
      const name = this.#serverName
      if (name.find(bytes, at, end)) block.serverNames.add(bytes, name.start, name.end)
    } else if (counter === C.protocolOther) {
      const name = protocolName(bytes, at, end)
      if (name !== null) block.protocols.add(name, 0, name.length)
    }
  }

  #latin1(at: Address, end: Address): string {
    return Buffer.from(this.#parts.memory.bytes.subarray(at, end)).toString('latin1')
  }
}

const number = (flag: boolean): number => (flag ? 1 : 0)
