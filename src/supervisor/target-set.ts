/**
 * The interfaces being captured through packet sockets, while they come and go: opens and closes sockets, deals them out
 * to capture workers, keeps their numbers and counters. Main thread, which owns every descriptor and mapping: a worker
 * only borrows them, and a ring is unmapped once its worker has said that it let go of it, or has ended.
 *
 *     wanted ──opened──▶ captured ──remove──▶ closing ──worker has let go──▶ gone
 */

import { SerialQueue } from '../async/serial-queue.ts'
import { type Resolvers, withResolvers } from '../async/with-resolvers.ts'
import type { PacketSocket, SocketOpener } from '../capture/af-packet/socket-opener.ts'
import type { LentSocket } from '../capture/worker-data.ts'
import { errorText } from '../errors.ts'
import { allocateCounters, CAPTURE_COUNTERS, TARGET_COUNTERS } from '../ledger/counters.ts'
import type { CounterBlock } from '../ledger/ledger.ts'
import type { InterfaceObservation } from '../ledger/observation.ts'
import type { Logger } from '../log/logger.ts'
import { NetnsReturnError } from '../sys/netns.ts'
import type { CaptureTarget } from '../target/capture-target.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'
import type { FromWorker } from '../thread/messages.ts'
import type { CaptureSlot } from './capture-slot.ts'
import { Domains } from './domains.ts'
import { IdPool } from './id-pool.ts'
import type { AddResult, TargetFailure } from './options.ts'
import { targetEnded, targetFailure } from './target-failure.ts'

/** Frames of an interface that has gone may lie in a ring for a moment, and the assemblers keep what they know of it. */
const RESTING_IDS = 256
const C = TARGET_COUNTERS.index

const FAILURE_COUNTERS = { gone: C.failedGone, denied: C.failedDenied, refused: C.failedRefused } as const

export interface TargetSetParts {
  sockets: SocketOpener
  slots: readonly CaptureSlot[]
  /** Tells the assemblers of an interface, or more of it. */
  announce: (id: number, info: InterfaceInfo) => void
  /** Inode of our own network namespace. */
  ownNetns: number
  log: Logger
}

interface Captured {
  target: CaptureTarget
  readonly socket: PacketSocket
  readonly lent: LentSocket
  readonly slot: CaptureSlot
  readonly domain: number
  up: boolean
  readonly closed: Resolvers<void>
}

export class TargetSet {
  /** Laid out by TARGET_COUNTERS. */
  readonly #counters = allocateCounters(TARGET_COUNTERS)
  readonly #parts: TargetSetParts
  /** Asked for and not captured yet, as last told. */
  readonly #wanted = new Map<string, CaptureTarget>()
  readonly #byKey = new Map<string, Captured>()
  /** Also those that are closing. */
  readonly #byId = new Map<number, Captured>()
  readonly #ids = new IdPool(0, RESTING_IDS)
  readonly #domains: Domains
  /** Sockets that are being opened, by their slot. */
  readonly #coming = new Map<CaptureSlot, number>()
  readonly #closings = new Set<Promise<void>>()
  readonly #opening = new SerialQueue()
  #ended = false

  constructor(parts: TargetSetParts) {
    this.#parts = parts
    this.#domains = new Domains(parts.ownNetns)
    for (const slot of parts.slots) {
      const own = (): Captured[] => [...this.#byId.values()].filter((captured) => captured.slot === slot)
      slot.source = () => ({ kind: 'af-packet', sockets: own().map(({ lent }) => lent) })
      slot.openBlocks = () => own().map(({ lent }) => lent.counters)
    }
  }

  /**
   * Captures a target; what is captured already is updated. Opening keeps the main thread for some 10 ms each, so that
   * many at once take turns with everything else here.
   *
   * A failed way back out of its network namespace is thrown where nobody can catch it, and ends the process.
   */
  async add(target: CaptureTarget): Promise<AddResult> {
    this.#wanted.set(target.key, target)
    const slot = this.#reserve()
    try {
      // Its ring is too small for what comes while a thread begins.
      await slot.worker.start()
      return await this.#opening.run(() => this.#open(target.key, slot))
    } finally {
      this.#release(slot)
    }
  }

  /**
   * Captures sockets that are open already, once their workers are ready, and takes them out of the list.
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
    this.#parts.announce(captured.lent.interfaceId, { ...target.info, domain: captured.domain })
    captured.lent.proxyPort[0] = proxyPort(target)
    if (sameRules(before, target)) return
    try {
      this.#parts.sockets.filter(captured.socket, target)
    } catch (error) {
      this.#parts.log.warn('the filter of an interface could not be changed', {
        interface: target.key,
        error: errorText(error),
      })
    }
  }

  /** Lets a target go. Resolves when its last frames were taken and its descriptor and ring are given back. */
  async remove(key: string): Promise<void> {
    this.#wanted.delete(key)
    const captured = this.#byKey.get(key)
    if (captured === undefined) return
    this.#byKey.delete(key)
    captured.lent.closing = true
    captured.slot.worker.post({ t: 'close', interfaceId: captured.lent.interfaceId })
    await captured.closed.promise
  }

  /** A capture worker has said something of one of its interfaces. */
  hear(message: FromWorker): void {
    if (message.t === 'closed') this.#giveBack(this.#byId.get(message.interfaceId))
    else if (message.t === 'interfaceLost' || message.t === 'interfaceBack') {
      const captured = this.#byId.get(message.interfaceId)
      if (captured !== undefined) this.#changed(captured, message)
    }
  }

  #changed(captured: Captured, message: FromWorker & { t: 'interfaceLost' | 'interfaceBack' }): void {
    captured.up = message.t === 'interfaceBack'
    const { key, netns } = captured.target
    const { log } = this.#parts
    // That a pod's interface goes is the ordinary end of a pod.
    const level = netns !== null ? 'debug' : captured.up ? 'info' : 'warn'
    if (message.t === 'interfaceBack') log.log(level, 'an interface is back', { interface: key })
    else {
      const fields = { interface: key, reason: message.reason }
      log.log(level, 'an interface is gone; capture goes on when it is back', fields)
    }
  }

  /** Gives everything back. Every worker has ended. */
  async end(): Promise<void> {
    this.#ended = true
    for (const captured of [...this.#byId.values()]) this.#giveBack(captured)
    await Promise.all(this.#closings)
  }

  /** Counters of what becomes of targets, and of interfaces that are being let go. */
  get blocks(): CounterBlock[] {
    const closing = [...this.#byId.values()].filter(({ lent }) => lent.closing)
    return [{ layout: TARGET_COUNTERS, values: this.#counters }, ...closing.map(blockOf)]
  }

  /** Counters of the interfaces that are captured. */
  get interfaceBlocks(): CounterBlock[] {
    return [...this.#byKey.values()].map(blockOf)
  }

  /** The interfaces that are captured; the same key is never there twice. */
  observe(): InterfaceObservation[] {
    return [...this.#byKey.values()].map((captured) => ({
      key: captured.target.key,
      name: captured.target.info.name,
      labels: captured.target.labels,
      block: blockOf(captured),
      up: captured.up,
    }))
  }

  /** The slot with the fewest interfaces; one that works already before one that does not. */
  #reserve(): CaptureSlot {
    const load = new Map(this.#coming)
    for (const { slot } of this.#byId.values()) load.set(slot, (load.get(slot) ?? 0) + 1)
    const order = (slot: CaptureSlot): number => 2 * (load.get(slot) ?? 0) + (slot.worker.started ? 0 : 1)
    const slot = this.#parts.slots.reduce((least, other) => (order(other) < order(least) ? other : least))
    this.#coming.set(slot, (this.#coming.get(slot) ?? 0) + 1)
    return slot
  }

  #release(slot: CaptureSlot): void {
    this.#coming.set(slot, (this.#coming.get(slot) ?? 0) - 1)
  }

  #open(key: string, slot: CaptureSlot): AddResult {
    const target = this.#wanted.get(key)
    this.#wanted.delete(key)
    if (this.#byKey.has(key)) {
      if (target !== undefined) this.update(target)
      return 'captured'
    }
    if (target === undefined || this.#ended) return targetEnded('the target was removed meanwhile')
    try {
      this.#capture(target, this.#parts.sockets.open(target), slot)
      return 'captured'
    } catch (error) {
      if (error instanceof NetnsReturnError) throw error
      return this.#failed(target, targetFailure(error))
    }
  }

  #failed({ key }: CaptureTarget, failure: TargetFailure): AddResult {
    const { reason, message, hint } = failure
    if (reason !== 'ended') this.#counters[FAILURE_COUNTERS[reason]] += 1
    const { log } = this.#parts
    if (reason === 'gone') log.debug('a pod had gone before it could be captured', { interface: key, error: message })
    else
      log.error(
        `an interface cannot be captured: ${message}`,
        hint === null ? { interface: key } : { interface: key, hint },
      )
    return failure
  }

  /** From here on frames gather, and their worker knows. @throws as `SocketOpener.bind` does, with the socket closed */
  #capture(target: CaptureTarget, socket: PacketSocket, slot: CaptureSlot): void {
    const { sockets, announce } = this.#parts
    const interfaceId = this.#ids.acquire()
    const domain = this.#domains.enter(target.netns?.inode ?? null)
    try {
      // First: no assembler may meet a frame of an interface it does not know.
      announce(interfaceId, { ...target.info, domain })
      const lent: LentSocket = {
        interfaceId,
        closing: false,
        counters: allocateCounters(CAPTURE_COUNTERS),
        device: target.device,
        interfaceIndex: sockets.bind(socket),
        promiscuous: sockets.promiscuous,
        fd: socket.fd,
        address: socket.address,
        blockBytes: socket.blockBytes,
        blockCount: socket.blockCount,
        linkType: socket.linkType,
        proxyPort: new Int32Array(new SharedArrayBuffer(4)).fill(proxyPort(target)),
      }
      const captured: Captured = { target, socket, lent, slot, domain, up: true, closed: withResolvers() }
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

  /** No worker touches it any more. */
  #giveBack(captured: Captured | undefined): void {
    if (captured === undefined || !this.#byId.delete(captured.lent.interfaceId)) return
    const { target, lent, slot, socket } = captured
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

const blockOf = ({ lent }: Captured): CounterBlock => ({ layout: CAPTURE_COUNTERS, values: lent.counters })

/** The first of a mesh's outgoing ports is the one to which its rules turn connections. */
const proxyPort = ({ info }: CaptureTarget): number => info.vantagePoint?.outboundPorts[0] ?? 0

const sameRules = (a: CaptureTarget, b: CaptureTarget): boolean =>
  sameSet(a.excludePorts, b.excludePorts) && sameSet(a.onlyAddresses, b.onlyAddresses)

function sameSet<T>(a: readonly T[] | null, b: readonly T[] | null): boolean {
  if (a === null || b === null) return a === b
  const known = new Set(a)
  return known.size === new Set(b).size && b.every((item) => known.has(item))
}
