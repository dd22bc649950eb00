/**
 * Live capture up to the assemblers: sockets opened like the supervisor's, the capture worker and its rings. The test
 * takes the place of the assembler.
 */
import { once } from 'node:events'
import { after } from 'node:test'
import { Worker } from 'node:worker_threads'
import { threadOf } from '../../rig/root.ts'
import { type PacketSocket, SocketOpener, type SocketOptions } from '../../src/capture/af-packet/socket-opener.ts'
import { capSource } from '../../src/capture/cap/spec.ts'
import { KEEP_ALL } from '../../src/capture/intake/flow-shedder.ts'
import type {
  AfPacketSource,
  CapSource,
  CaptureWorkerData,
  LentSocket,
  ToCapture,
} from '../../src/capture/worker-data.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../src/ledger/counters.ts'
import { TUNNEL_NAMES } from '../../src/net/tunnels.ts'
import { allocateRing, RingConsumer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { FRAME, INTERFACE_GONE } from '../../src/ring/layout.ts'
import { WakeEvent } from '../../src/sys/wake-event.ts'
import { COMMAND_DRAIN, COMMAND_STOP, Control } from '../../src/thread/control.ts'
import type { FromWorker } from '../../src/thread/messages.ts'

/** A TCP packet that was captured. */
export interface SeenPacket {
  interfaceId: number
  micros: number
  /** The IP packet. */
  packet: Buffer
}

const RING_BYTES = 64 * 1024 * 1024
export interface LiveOptions extends SocketOptions {
  source: 'af-packet' | 'cap'
}

const DEFAULTS: LiveOptions = {
  source: 'af-packet',
  filter: '',
  exclude: [],
  snapLength: 262144,
  ringBytes: 8 * 1024 * 1024,
  initialRingBytes: 8 * 1024 * 1024,
  promiscuous: false,
  tunnels: TUNNEL_NAMES,
}

export interface LiveInterface {
  interfaceId: number
  device: string
  /** Path of its namespace; null: our own. */
  netns: string | null
  excludePorts?: number[]
  onlyAddresses?: string[]
  tunnels?: boolean
}

export const liveInterface = (interfaceId: number, device: string, netns: string | null = null): LiveInterface => ({
  interfaceId,
  device,
  netns,
})

/** One capture worker and its only ring. */
export class LiveCapture {
  readonly packets: SeenPacket[] = []
  readonly messages: FromWorker[] = []
  /** Ids of interfaces whose flows have ended. */
  readonly gone: number[] = []
  readonly counters = allocateCounters(CAPTURE_COUNTERS)
  readonly source: AfPacketSource | CapSource
  readonly #sockets: SocketOpener
  readonly #opened: PacketSocket[] = []
  readonly #keep: boolean
  readonly #tunnels: readonly string[]
  readonly #ring: SharedArrayBuffer
  readonly #consumer: RingConsumer
  readonly #block = Buffer.alloc(RING_BYTES / 2)
  readonly #event = new WakeEvent()
  #control = Control.allocate()
  #worker: Worker | null = null

  /**
   * Opens the interfaces: the kernel collects frames from now on. The thread is stopped when the current test ends.
   *
   * @param keep collect packets instead of only counting them
   */
  constructor(interfaces: LiveInterface[], options: Partial<LiveOptions> = {}, keep = true, ringBytes = RING_BYTES) {
    after(() => this.#worker?.terminate())
    this.#keep = keep
    this.#ring = allocateRing(ringBytes)
    this.#consumer = new RingConsumer(this.#ring, null)
    const all = { ...DEFAULTS, ...options }
    this.#tunnels = all.tunnels
    this.#sockets = new SocketOpener(all)
    if (all.source === 'cap') {
      const ids = interfaces.map(({ interfaceId, device }) => ({ interfaceId, device }))
      this.source = { ...capSource([], all), interfaces: ids }
      return
    }
    const sockets = interfaces.map((wanted) => this.#open(wanted))
    for (const socket of this.#opened) this.#sockets.bind(socket)
    this.source = { kind: 'af-packet', sockets, wakeFd: this.#event.fd }
  }

  /** A socket that is not bound yet. */
  #open({
    interfaceId,
    device,
    netns,
    excludePorts = [],
    onlyAddresses = [],
    tunnels = false,
  }: LiveInterface): LentSocket {
    const opened = this.#sockets.open({
      device,
      netns: netns === null ? null : { path: netns, inode: null },
      excludePorts,
      onlyAddresses: onlyAddresses.length === 0 ? null : onlyAddresses,
      tunnels,
      onlyPorts: null,
    })
    this.#opened.push(opened)
    const interfaceIndex = opened.link?.index ?? 0
    const { promiscuous } = this.#sockets
    const own = {
      interfaceId,
      closing: false,
      replaced: false,
      mayGrow: false,
      counters: this.counters,
      progress: new Int32Array(new SharedArrayBuffer(16)),
      proxyPort: new Int32Array(1),
      redirected: new Uint8Array(0),
    }
    return { ...opened, ...own, interfaceIndex, promiscuous }
  }

  /** Starts the worker, or another one after `halt`. @param keep for `limits.cpu`: connections with a lower hash are kept */
  start(keep = KEEP_ALL): void {
    this.startUnread(keep)
    this.keepTaking()
  }

  /** Starts the worker without reading the ring. */
  startUnread(keep = KEEP_ALL): void {
    this.#control = Control.allocate()
    new Control(this.#control).shedForCpu = KEEP_ALL - keep
    const data: CaptureWorkerData = {
      source: this.source,
      rings: [this.#ring],
      assemblerBells: [Doorbell.allocate()],
      ownBell: Doorbell.allocate(),
      control: this.#control,
      counters: this.counters,
      whenFull: 'drop',
      tunnels: this.#tunnels,
      secret: 0,
      pairRings: [],
      warmUpShare: 0,
      marks: [],
    }
    this.#worker = new Worker(threadOf('capture'), { workerData: data })
    this.#worker.on('message', (message: FromWorker) => this.messages.push(message))
  }

  /** Resolves once a message has arrived; throws if the worker ends without it. */
  async message<T extends FromWorker['t']>(t: T): Promise<FromWorker> {
    for (;;) {
      const found = this.messages.find((message) => message.t === t)
      if (found !== undefined) return found
      if (this.messages.some(({ t: type }) => type === 'done' || type === 'failed')) {
        throw new Error(`no ${t} before the worker ended: ${JSON.stringify(this.messages)}`)
      }
      await once(this.#worker!, 'message')
    }
  }

  /**
   * Lets another socket continue an interface, as when its ring grows. Resolves once the previous ring has been read to
   * its end.
   */
  async replace(wanted: LiveInterface): Promise<void> {
    const before = this.messages.length
    this.#worker!.postMessage({ t: 'replace', socket: this.#open(wanted) } satisfies ToCapture)
    new Control(this.#control).announceMail()
    this.#event.signal()
    while (!this.messages.slice(before).some(({ t }) => t === 'replaced')) await once(this.#worker!, 'message')
  }

  /** Ends the worker at once and leaves the sockets open. */
  async halt(): Promise<void> {
    await this.#command(COMMAND_STOP)
  }

  /** Drains, ends the worker and closes the sockets. @returns the counters by their ledger names */
  async stop(): Promise<Record<string, number>> {
    await this.#command(COMMAND_DRAIN)
    await this.close()
    return Object.fromEntries(CAPTURE_COUNTERS.paths.map((path, index) => [path, this.counters[index]]))
  }

  /** Closes the sockets if no worker was started. */
  async close(): Promise<void> {
    await Promise.all(this.#opened.map((socket) => this.#sockets.close(socket)))
    this.#event.close()
  }

  async #command(command: number): Promise<void> {
    const worker = this.#worker!
    new Control(this.#control).command = command
    this.#event.signal()
    this.keepTaking()
    await once(worker, 'exit')
    this.take()
  }

  /** Reads the ring from now on. */
  keepTaking(): void {
    const timer = setInterval(() => this.take(), 5)
    this.#worker!.on('exit', () => clearInterval(timer))
  }

  /** Reads and releases the contents of the ring. */
  take(): void {
    for (;;) {
      const count = this.#consumer.peek(this.#block, this.#block.length)
      if (count === 0) return
      this.#consumer.release(this.#records(count))
    }
  }

  #records(count: number): number {
    const block = this.#block
    let at = 0
    while (at < count) {
      const length = block.readInt32LE(at)
      if (length < 0) {
        at -= length
        continue
      }
      if (at + length > count) break
      this.#record(block, at)
      at += length
    }
    return at
  }

  #record(block: Buffer, at: number): void {
    const tag = block.readUInt32LE(at + 4)
    const interfaceId = block.readInt32LE(at + 20)
    if (tag === INTERFACE_GONE) this.gone.push(interfaceId)
    if (tag !== FRAME || !this.#keep) return
    const [start, end] = [at + block.readUInt16LE(at + 24), at + block.readUInt32LE(at + 28)]
    this.packets.push({
      interfaceId,
      micros: block.readDoubleLE(at + 8),
      packet: Buffer.from(block.subarray(start, end)),
    })
  }
}
