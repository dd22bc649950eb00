/**
 * Makes threads of this process hang, throw or run out of memory at any time, by evaluating code in them through
 * Node.js's inspector, which interrupts even loops.
 */
import { Session } from 'node:inspector/promises'
import type { TestContext } from 'node:test'

export type Role = 'capture' | 'assemble' | 'ship'

/** (module (func (export "f") unreachable)) */
const UNREACHABLE = [
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0],
  ...[7, 5, 1, 1, 0x66, 0, 0, 10, 5, 1, 3, 0, 0, 0x0b],
]

/** Code that is evaluated in a thread. It replaces `Atomics.add`, which every loop calls for its heartbeat. */
const FAULTS = {
  // Sleeps instead of looping, so that it uses no CPU time.
  hang: `{
    const never = new Int32Array(new SharedArrayBuffer(4))
    const hang = () => { for (;;) Atomics.wait(never, 0, 0, 10) }
    Atomics.add = hang
  }`,
  throw: `{
    const fail = () => { throw new Error('thrown by the test') }
    Atomics.add = fail
  }`,
  // Traps like the assembler's program on an access outside of its memory.
  trap: `Atomics.add = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(${UNREACHABLE}))).exports.f`,
  // Doubles, which the garbage collector need not scan.
  exhaust: `{
    const fill = () => { for (const held = []; ; ) held.push(new Array(1_000_000).fill(0.5)) }
    Atomics.add = fill
  }`,
} as const

export type Fault = keyof typeof FAULTS

interface AttachedWorker {
  sessionId: string
  workerInfo: { title: string; url: string }
}

/** Attaches to every worker thread that is started after its creation. */
export class WorkerFaults {
  readonly #session = new Session()
  /** Newest session of each role. */
  readonly #workers = new Map<string, string>()
  #ids = 0

  static async attach(t: TestContext): Promise<WorkerFaults> {
    const faults = new WorkerFaults()
    await faults.#start()
    t.after(() => faults.#session.disconnect())
    return faults
  }

  /** Injects a fault into the newest thread of a role. */
  async inject(role: Role, fault: Fault): Promise<void> {
    const sessionId = this.#workers.get(role)
    if (sessionId === undefined) throw new Error(`no thread of role ${role}: ${[...this.#workers.keys()].join(', ')}`)
    this.#ids += 1
    const message = { id: this.#ids, method: 'Runtime.evaluate', params: { expression: FAULTS[fault] } }
    await this.#session.post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify(message) })
  }

  async #start(): Promise<void> {
    this.#session.connect()
    this.#session.on('NodeWorker.attachedToWorker', ({ params }: { params: AttachedWorker }) => {
      const { sessionId, workerInfo } = params
      const role = roleOf(workerInfo.url)
      if (role !== null) this.#workers.set(role, sessionId)
    })
    await this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  }
}

function roleOf(url: string): Role | null {
  if (url.includes('capture.worker')) return 'capture'
  if (url.includes('ship.worker')) return 'ship'
  return url.includes('piscina') ? 'assemble' : null
}
