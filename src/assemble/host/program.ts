/** Loads the assembler's program (`core/`, AssemblyScript), and declares its exports. */
import { runtimeError } from '../../errors.ts'
import { loadProgram } from '../../sys/kept-code.ts'

/** An address in the program's memory. */
export type Address = number

/** The exports. Flows are addresses, directions 0 and 1; flags are 0 or 1. The comments are in `core/`. */
export interface Program {
  configure(layout: Address, parts: Address): void
  setLimits(
    messageBytes: number,
    pairBytes: number,
    responseTimeoutMicros: number,
    idleMicros: number,
    incompleteResponses: number,
    exchanges: number,
    messages: number,
    selects: number,
    onlyCounts: number,
  ): void
  setRules(
    everything: number,
    requestLengths: number,
    includesRequests: number,
    includesHosts: number,
    includesResponses: number,
    minLatencyMicros: number,
    rules: Address,
  ): void
  setNamesVersion(version: number): void
  setMarks(present: number): void
  setInterface(id: number, domain: number, hopLimit: number, hasVantagePoint: number): void
  setMap(id: number, vantage: number, at: Address, length: number, behindProxy: number): void
  countOf(id: number, counter: number): void
  interfaceId(entry: Address): number
  nextDirty(entry: Address): Address
  lastKept(entry: Address): number
  firstDirty(): Address
  clearDirty(): void
  micros(): number
  setMicros(micros: number): void
  stepClock(step: number): void
  wholeRecords(at: Address, available: number): number
  consume(at: Address, end: Address): Address
  content(flow: Address, direction: number, at: Address, end: Address, seq: number, ack: number): void
  endAll(): void
  endInterface(id: number): void
  outputEnd(): Address
  rewindOutput(): void
  usedBytes(): number
  isIpv6(flow: Address): number
  portOf(flow: Address, direction: number): number
  addressWord(flow: Address, direction: number, word: number): number
  flowInterface(flow: Address): number
  flowClient(flow: Address): number
  flowVantage(flow: Address): number
  setFlowVantage(flow: Address, vantage: number): void
  setFlowHostPending(flow: Address, pending: number): void
  setFlowTunnel(flow: Address, tunnel: number): void
  flowLastMicros(flow: Address): number
  flowIsWhole(flow: Address): number
  flowSynSeen(flow: Address, direction: number): number
  flowFirstSeq(flow: Address, direction: number): number
  setFlowPreamble(flow: Address, present: number): void
  setFlowProxied(flow: Address, proxied: number): void
  flowProxied(flow: Address): number
  preambleAt(flow: Address): Address
  preambleLength(flow: Address): number
  storePreamble(flow: Address, length: number): Address
  setFlowPods(flow: Address, client: Address, server: Address): void
}

/** What the program imports: the functions of core/host.ts, all of numbers. */
export type ProgramHost = Record<string, HostFunction>

type HostFunction = (...values: number[]) => unknown

/** Loaded once per process: the main thread posts it to the workers (see `useProgram`). */
let compiled: WebAssembly.Module | null = null
let isKept = false

/** The compiled program. @throws InterceptorError (EXIT_RUNTIME): this processor, or Node.js as it was started, cannot run it */
export function compileProgram(): WebAssembly.Module {
  if (typeof WebAssembly === 'undefined') {
    throw runtimeError('this Node.js runs without WebAssembly', {
      hint: 'start it without flags that disable WebAssembly, such as --jitless',
    })
  }
  try {
    if (compiled === null) ({ module: compiled, isKept } = loadProgram(new URL('../core.wasm', import.meta.url)))
    return compiled
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error
    throw runtimeError('this processor lacks the SIMD instructions that the HTTP parser needs', {
      hint: 'amd64 needs SSE4.1, which a virtual machine may have to pass through (QEMU: -cpu host)',
      cause: error,
    })
  }
}

/** Whether `compileProgram` has loaded the machine code that the build has kept of the program. */
export const usesKeptCode = (): boolean => isKept

/** In a worker: uses what the main thread has compiled. */
export function useProgram(module: WebAssembly.Module): void {
  compiled = module
}

/**
 * Instantiates the program on a memory that has the layout of host/memory.ts. One instance per thread (bench/findings.md).
 *
 * @param host the functions that the program calls
 * @throws as `compileProgram`
 */
export function startProgram(memory: WebAssembly.Memory, host: ProgramHost): Program {
  const { exports } = new WebAssembly.Instance(compileProgram(), { env: { memory }, host })
  return exports as unknown as Program
}
