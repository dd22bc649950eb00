/**
 * The interfaces that are captured through packet sockets, which appear and disappear during a run: opens and closes the
 * sockets, assigns them to capture workers, keeps their numbers and counters. Main thread, which owns every descriptor
 * and mapping: a worker only borrows them, and a ring is unmapped once its worker has released it or has ended.
 *
 *     wanted ──opened──▶ captured ──remove──▶ closing ──worker reports `closed`──▶ gone
 *
 * A socket's ring begins small. When its worker finds it too small, a socket with a larger ring takes over:
 *
 *     captured ──worker reports `ringShort`──▶ two sockets ──worker reports `replaced`──▶ captured
 */

import type { KnownInterface } from '../../assemble/worker-data.ts'
import { SerialQueue } from '../../async/serial-queue.ts'
import { withResolvers } from '../../async/with-resolvers.ts'
import { REDIRECTED_BYTES } from '../../capture/af-packet/redirected-replies.ts'
import type { PacketSocket, SocketOpener } from '../../capture/af-packet/socket-opener.ts'
import { type LentSocket, RING_PROGRESS_WORDS } from '../../capture/worker-data.ts'
import { errorText, runtimeError } from '../../errors.ts'
import { allocateCounters, CAPTURE_COUNTERS, TARGET_COUNTERS } from '../../ledger/counters.ts'
import type { CounterBlock } from '../../ledger/ledger.ts'
import type { InterfaceObservation } from '../../ledger/observation.ts'
import { allocateTraffic } from '../../ledger/traffic.ts'
import type { Logger } from '../../log/logger.ts'
import { NetnsReturnError } from '../../sys/netns.ts'
import { WakeEvent } from '../../sys/wake-event.ts'
import { type CaptureTarget, targetLogFields } from '../../target/capture-target.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { AddResult, TargetFailure } from '../options.ts'
import type { CaptureSlot } from '../workers/capture-slot.ts'
import { blockOf, type CapturedTarget, lentSockets, proxyPort, ringBytesOf, sameFilter } from './captured-target.ts'
import { Domains } from './domains.ts'
import { IdPool } from './id-pool.ts'
import { targetEnded, targetFailure } from './target-failure.ts'

/** A number is reused only after this many others: frames of a closed interface, which carry it, may still be in a ring. */
const ID_QUARANTINE = 256
/** A ring that is too small is replaced by one of this many times its size. */
const RING_GROWTH = 4
const C = TARGET_COUNTERS.index

const FAILURE_COUNTERS = { gone: C.failedGone, denied: C.failedDenied, refused: C.failedRefused } as const

export interface TargetSetParts {
  sockets: SocketOpener
  slots: readonly CaptureSlot[]
  /** Announces an interface, or new facts about it, to the assemblers. */
  announce: (known: KnownInterface) => void
  /** How many numbers of interfaces the assemblers have room for. */
  interfaceIds: number
  /** Inode of the process's own network namespace. */
  ownNetns: number
  log: Logger
}

export class TargetSet {
  /** Counters of the targets, in the layout of TARGET_COUNTERS. */
  readonly #counters = allocateCounters(TARGET_COUNTERS)
  readonly #parts: TargetSetParts
  /** Requested and not captured yet, as of the last request. */
  readonly #wanted = new Map<string, CaptureTarget>()
  readonly #byKey = new Map<string, CapturedTarget>()
  /** Including those that are closing. */
  readonly #byId = new Map<number, CapturedTarget>()
  readonly #ids: IdPool
  readonly #domains: Domains
  /** Number of sockets that are being opened, by slot. */
  readonly #opens = new Map<CaptureSlot, number>()
  readonly #closings = new Set<Promise<void>>()
  /** One per slot. */
  readonly #events: WakeEvent[]
  readonly #opening = new SerialQueue()
  #ended = false

  constructor(parts: TargetSetParts) {
    this.#parts = parts
    this.#ids = new IdPool(0, ID_QUARANTINE, parts.interfaceIds)
    this.#domains = new Domains(parts.ownNetns)
    this.#events = parts.slots.map(() => new WakeEvent())
    for (const [i, slot] of parts.slots.entries()) {
      const event = this.#events[i]
      const own = (): CapturedTarget[] => [...this.#byId.values()].filter((captured) => captured.slot === slot)
      slot.source = () => ({ kind: 'af-packet', sockets: own().flatMap(lentSockets), wakeFd: event.fd })
      slot.wakePoll = () => event.signal()
      slot.openBlocks = () => own().map(({ current }) => current.lent.counters)
    }
  }

  /**
   * Captures a target, or updates it if it is captured already. Opening a socket occupies the main thread for some 10
   * ms, so several are opened one per iteration of the event loop.
   *
   * NetnsReturnError is thrown where nothing can catch it, and ends the process.
   */
  async add(target: CaptureTarget): Promise<AddResult> {
    this.#wanted.set(target.key, target)
    const slot = this.#reserve()
    try {
      // Start the worker first: the kernel ring cannot absorb a thread's start.
      await slot.worker.start()
      return await this.#opening.run(() => this.#open(target.key, slot))
    } finally {
      this.#release(slot)
    }
  }

  /**
   * Captures sockets that are open already, once their workers are ready, and removes them from the list.
   *
   * @throws InterceptorError, SystemError as `SocketOpener.bind` does
   */
  async adopt(opened: { target: CaptureTarget; socket: PacketSocket }[]): Promise<void> {
    const slots = opened.map(() => this.#reserve())
    await Promise.all(slots.map(({ worker }) => worker.start()))
    for (const slot of slots) {
      this.#release(slot)
      const { target, socket } = opened.shift()!
      this.#capture(target, socket, slot)
    }
  }

  /** New names, labels, ports or addresses of a target with the same key. */
  update(target: CaptureTarget): void {
    if (this.#wanted.has(target.key)) this.#wanted.set(target.key, target)
    const captured = this.#byKey.get(target.key)
    if (captured === undefined) return
    const before = captured.target
    captured.target = target
    const { slot, domain, traffic } = captured
    const { socket, lent } = captured.current
    this.#parts.announce({ id: lent.interfaceId, info: { ...target.info, domain }, traffic })
    lent.proxyPort[0] = proxyPort(target)
    if (sameFilter(before, target)) return
    try {
      const program = this.#parts.sockets.filter(socket, target)
      lent.program = program
      slot.worker.post({ t: 'filter', interfaceId: lent.interfaceId, program })
    } catch (error) {
      this.#parts.log.warn('the filter of an interface cannot be changed', {
        ...targetLogFields(target),
        error: errorText(error),
      })
    }
  }

  /** Ends a target's capture. Resolves once its last frames were read and its descriptor and ring are released. */
  async remove(key: string): Promise<void> {
    this.#wanted.delete(key)
    const captured = this.#byKey.get(key)
    if (captured === undefined) return
    this.#byKey.delete(key)
    const { lent } = captured.current
    lent.closing = true
    captured.slot.worker.post({ t: 'close', interfaceId: lent.interfaceId })
    await captured.closed.promise
  }

  /** Handles what a capture worker reports of one of its interfaces. */
  onMessage(message: FromWorker): void {
    switch (message.t) {
      case 'closed':
        this.#close(this.#byId.get(message.interfaceId))
        break
      case 'replaced':
        this.#closePrevious(this.#byId.get(message.interfaceId))
        break
      case 'ringShort':
        void this.#opening.run(() => this.#enlargeRing(this.#byId.get(message.interfaceId)))
        break
      case 'interfaceLost':
      case 'interfaceBack':
        this.#changed(this.#byId.get(message.interfaceId), message)
        break
    }
  }

  #changed(captured: CapturedTarget | undefined, message: FromWorker & { t: 'interfaceLost' | 'interfaceBack' }): void {
    if (captured === undefined) return
    captured.up = message.t === 'interfaceBack'
    const { target } = captured
    const { log } = this.#parts
    const fields = targetLogFields(target)
    // A pod's interface disappears at the ordinary end of the pod.
    const level = target.netns !== null ? 'debug' : captured.up ? 'info' : 'warn'
    if (message.t === 'interfaceBack') log.log(level, 'an interface is back', fields)
    else {
      log.log(level, `an interface is ${message.reason}; capture resumes when it returns`, fields)
    }
  }

  /** Releases every descriptor and ring. Every worker must have ended. */
  async end(): Promise<void> {
    this.#ended = true
    for (const captured of [...this.#byId.values()]) this.#close(captured)
    await Promise.all(this.#closings)
    for (const event of this.#events) event.close()
  }

  /** Counters of opened and closed targets, and of interfaces that are closing. */
  get blocks(): CounterBlock[] {
    const closing = [...this.#byId.values()].filter(({ current }) => current.lent.closing)
    return [{ layout: TARGET_COUNTERS, values: this.#counters }, ...closing.map(blockOf)]
  }

  /** Counters of the interfaces that are captured. */
  get interfaceBlocks(): CounterBlock[] {
    return [...this.#byKey.values()].map(blockOf)
  }

  /** The interfaces that are captured, each key once. */
  observe(): InterfaceObservation[] {
    return [...this.#byKey.values()].map((captured) => ({
      key: captured.target.key,
      name: captured.target.info.name,
      labels: captured.target.labels,
      block: blockOf(captured),
      traffic: captured.traffic,
      up: captured.up,
    }))
  }

  /** The slot with the fewest interfaces; among equals one whose thread runs already. */
  #reserve(): CaptureSlot {
    const load = new Map(this.#opens)
    for (const { slot } of this.#byId.values()) load.set(slot, (load.get(slot) ?? 0) + 1)
    const order = (slot: CaptureSlot): number => 2 * (load.get(slot) ?? 0) + (slot.worker.started ? 0 : 1)
    const slot = this.#parts.slots.reduce((least, other) => (order(other) < order(least) ? other : least))
    this.#opens.set(slot, (this.#opens.get(slot) ?? 0) + 1)
    return slot
  }

  #release(slot: CaptureSlot): void {
    this.#opens.set(slot, (this.#opens.get(slot) ?? 0) - 1)
  }

  #open(key: string, slot: CaptureSlot): AddResult {
    const target = this.#wanted.get(key)
    this.#wanted.delete(key)
    if (this.#byKey.has(key)) {
      if (target !== undefined) this.update(target)
      return 'captured'
    }
    if (target === undefined || this.#ended) return targetEnded('the target was removed before it was captured')
    try {
      if (this.#ids.isExhausted) throw runtimeError('too many interfaces are captured')
      this.#capture(target, this.#openSocket(target, this.#parts.sockets.initialRingBytes), slot)
      return 'captured'
    } catch (error) {
      if (error instanceof NetnsReturnError) throw error
      return this.#failed(target, targetFailure(error))
    }
  }

  #openSocket(target: CaptureTarget, ringBytes: number): PacketSocket {
    const { sockets } = this.#parts
    return sockets.open(target, Math.min(ringBytes, sockets.maxRingBytes))
  }

  /** Opens a second socket with a larger ring, which its worker continues with once it has read the first one's. */
  #enlargeRing(captured: CapturedTarget | undefined): void {
    if (captured === undefined || captured.previous !== null || this.#ended) return
    const { target, current, slot } = captured
    if (current.lent.closing || !current.lent.mayGrow) return
    const { log } = this.#parts
    try {
      const socket = this.#openSocket(target, ringBytesOf(current.socket) * RING_GROWTH)
      const lent = { ...current.lent, ...this.#describe(socket), interfaceIndex: socket.link?.index ?? 0 }
      current.lent.replaced = true
      captured.previous = current
      captured.current = { socket, lent }
      slot.worker.post({ t: 'replace', socket: lent })
    } catch (error) {
      if (error instanceof NetnsReturnError) throw error
      // Expected of a pod whose processes have ended, so that its namespace cannot be entered any more.
      log.debug('the ring of an interface cannot be enlarged', { ...targetLogFields(target), error: errorText(error) })
    }
  }

  #failed(target: CaptureTarget, failure: TargetFailure): AddResult {
    const { reason, message, hint } = failure
    if (reason !== 'ended') this.#counters[FAILURE_COUNTERS[reason]] += 1
    const { log } = this.#parts
    const fields = targetLogFields(target)
    if (reason === 'gone') {
      // An interface of the host has a name that a person has written, a pod's one that was just read.
      if (target.info.vantage === 'host') log.warn('an interface of capture.interfaces does not exist', fields)
      else log.debug('a pod ended before it could be captured', { ...fields, error: message })
    } else log.error(`an interface cannot be captured: ${message}`, hint === null ? fields : { ...fields, hint })
    return failure
  }

  /** From now on the kernel collects frames, and the worker reads them. @throws as `SocketOpener.bind`, the socket closed */
  #capture(target: CaptureTarget, socket: PacketSocket, slot: CaptureSlot): void {
    const { sockets, announce } = this.#parts
    const interfaceId = this.#ids.acquire()
    const domain = this.#domains.enter(target.netns?.inode ?? null)
    const traffic = slot.rings.map(allocateTraffic)
    try {
      // Before the first frame: no assembler may receive a frame of an interface that it does not know.
      announce({ id: interfaceId, info: { ...target.info, domain }, traffic })
      const lent: LentSocket = {
        interfaceId,
        closing: false,
        replaced: false,
        counters: allocateCounters(CAPTURE_COUNTERS),
        device: target.device,
        promiscuous: sockets.promiscuous,
        interfaceIndex: sockets.bind(socket),
        ...this.#describe(socket),
        proxyPort: new Int32Array(new SharedArrayBuffer(4)).fill(proxyPort(target)),
        redirected: new Uint8Array(new SharedArrayBuffer(socket.link?.loopback === true ? REDIRECTED_BYTES : 0)),
      }
      const parts = { target, current: { socket, lent }, previous: null, slot, domain, traffic }
      const captured: CapturedTarget = { ...parts, up: true, closed: withResolvers() }
      this.#byKey.set(target.key, captured)
      this.#byId.set(interfaceId, captured)
      slot.worker.post({ t: 'open', socket: lent })
      this.#counters[C.opened] += 1
    } catch (error) {
      this.#domains.leave(target.netns?.inode ?? null)
      this.#ids.release(interfaceId)
      void sockets.close(socket)
      throw error
    }
  }

  /** What differs between the sockets of one interface. */
  #describe(socket: PacketSocket) {
    const { fd, program, address, blockBytes, blockCount, linkType } = socket
    const mayGrow = ringBytesOf(socket) < this.#parts.sockets.maxRingBytes
    const progress = new Int32Array(new SharedArrayBuffer(RING_PROGRESS_WORDS * Int32Array.BYTES_PER_ELEMENT))
    return { fd, program, address, blockBytes, blockCount, linkType, mayGrow, progress }
  }

  /** Closes the socket that another one has replaced. */
  #closePrevious(captured: CapturedTarget | undefined): void {
    const previous = captured?.previous ?? null
    if (captured === undefined || previous === null) return
    captured.previous = null
    const closing = this.#parts.sockets.close(previous.socket).then(() => {
      this.#closings.delete(closing)
    })
    this.#closings.add(closing)
  }

  /** Closes the socket of an interface that no worker uses any more. */
  #close(captured: CapturedTarget | undefined): void {
    if (captured === undefined || !this.#byId.delete(captured.current.lent.interfaceId)) return
    this.#closePrevious(captured)
    const { target, slot } = captured
    const { lent, socket } = captured.current
    if (this.#byKey.get(target.key) === captured) this.#byKey.delete(target.key)
    slot.retire(lent.counters)
    this.#domains.leave(target.netns?.inode ?? null)
    this.#counters[C.closed] += 1
    const closing = this.#parts.sockets.close(socket).then(() => {
      this.#ids.release(lent.interfaceId)
      this.#closings.delete(closing)
      captured.closed.resolve()
    })
    this.#closings.add(closing)
  }
}
