/**
 * Listening TCP sockets of network namespaces, and the containers that own them, cached between scans. Main thread.
 *
 * Reading /proc/<pid>/net/tcp makes the kernel walk the connections of all namespaces, some 2 ms, so an unchanged
 * namespace is read ever less often: a pause is a quarter of the time since its processes last changed. When a pause
 * ends and the namespace still has as many TCP sockets as at the last read, which is cheap to check, the read is
 * postponed once more. Descriptors are read only when a socket appears whose owner is unknown.
 */

import { sameItems } from './equality.ts'
import type { ProcFiles } from './proc-files.ts'
import type { ProcessFacts } from './process.ts'
import { ScanCache } from './scan-cache.ts'

/** Share of the scans since the last change after which a namespace is read again, and the most scans between reads. */
const READ_SHARE = 0.25
const MAX_SCANS_BETWEEN_READS = 256
/** Bytes read of a socket table, which begins with the listening sockets: about 800 of them. */
const MAX_TABLE_BYTES = 128 * 1024
/** Processes read of one pod, and descriptors of one process. */
const MAX_PROCESSES = 64
const MAX_DESCRIPTORS = 1024

/** The sockets in use of /proc/net/sockstat and sockstat6. */
const SOCKETS_IN_USE = /^TCP6?: inuse (\d+)/m
/** State of a listening socket (include/net/tcp_states.h). */
const TCP_LISTEN = '0A'
/** Loopback addresses in the notation of the tables. */
const LOOPBACK = /^(?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/

const NO_LISTENERS: readonly Listener[] = []

/** A listening TCP socket. */
export interface Listener {
  readonly port: number
  /** Whether it is bound to a loopback address, where only the same namespace can reach it. */
  readonly loopbackOnly: boolean
  /** Uid of the pod that owns it; null: unknown, or a process outside of the pods looked at, such as ztunnel. */
  readonly podUid: string | null
  /** Id of the container that owns it; null: unknown. */
  readonly containerId: string | null
}

/** A socket according to the table, without its owner. */
export type ListeningSocket = Pick<Listener, 'port' | 'loopbackOnly'>

type Owner = Pick<Listener, 'podUid' | 'containerId'>

const NO_OWNER: Owner = { podUid: null, containerId: null }

interface Entry {
  processes: readonly ProcessFacts[]
  /** By the socket's inode. */
  owners: Map<number, Owner>
  listeners: readonly Listener[]
  /** The scan in which the processes last changed, and the next scan that reads. */
  changedScan: number
  nextRead: number
  /** The number of TCP sockets at the last read, see `readSocketCounts`; null: unknown. */
  socketCounts: string | null
  /** The next scan that reads although the number is unchanged: one socket may have replaced another. */
  nextCertainRead: number
}

/** The cache of listeners by network namespace. */
export class ListenerTable {
  readonly #files: ProcFiles
  readonly #entries = new ScanCache<Entry>()

  constructor(files: ProcFiles) {
    this.#files = files
  }

  /** Begins a scan: namespaces that the last scan did not request are dropped. */
  beginScan(): void {
    this.#entries.beginScan()
  }

  /**
   * The listeners of a namespace.
   *
   * @param netns inode of the namespace
   * @param pid a process in it
   * @param processes the processes that may own its sockets; without any, nothing is read
   * @returns by port, ascending; unchanged listeners are the same objects as before. Without the capability
   *   DAC_READ_SEARCH the owners of other users' sockets are unknown
   */
  read(netns: number, pid: number, processes: readonly ProcessFacts[]): readonly Listener[] {
    if (processes.length === 0) return NO_LISTENERS
    const { scan } = this.#entries
    let entry = this.#entries.use(netns)
    const changed = entry === undefined || !sameItems(entry.processes, processes)
    if (entry === undefined || changed) {
      const owners = new Map([...(entry?.owners ?? [])].filter(([, owner]) => owner !== NO_OWNER))
      const listeners = entry?.listeners ?? NO_LISTENERS
      const never = { socketCounts: null, nextCertainRead: scan }
      entry = { processes, owners, listeners, changedScan: scan, nextRead: scan, ...never }
      this.#entries.set(netns, entry)
    }
    if (scan >= entry.nextRead) this.#refresh(pid, entry)
    return entry.listeners
  }

  #refresh(pid: number, entry: Entry): void {
    const { scan } = this.#entries
    const pause = Math.ceil((scan - entry.changedScan) * READ_SHARE)
    entry.nextRead = scan + Math.min(Math.max(pause, 1), MAX_SCANS_BETWEEN_READS)
    // Before the sockets, so that a socket opened between the two reads changes the number at the next one.
    const socketCounts = this.#readSocketCounts(pid)
    const isSame = socketCounts !== null && socketCounts === entry.socketCounts
    if (isSame && scan < entry.nextCertainRead) {
      entry.nextRead = Math.min(entry.nextRead, entry.nextCertainRead)
      return
    }
    const sockets = this.#readSockets(pid)
    // The process has exited; the next scan names another one.
    if (sockets === null) return
    entry.socketCounts = socketCounts
    entry.nextCertainRead = scan + MAX_SCANS_BETWEEN_READS
    for (const inode of entry.owners.keys()) if (!sockets.has(inode)) entry.owners.delete(inode)
    this.#findOwners(entry, sockets)
    const listeners = [...sockets].map(([inode, socket]) => ({ ...socket, ...(entry.owners.get(inode) ?? NO_OWNER) }))
    entry.listeners = reuse(entry.listeners, listeners.sort(byPort))
  }

  /**
   * How many TCP sockets the namespace has, listening or connected, by address family, such as `12 3`.
   *
   * @returns null where the kernel does not report it
   */
  #readSocketCounts(pid: number): string | null {
    const texts = ['sockstat', 'sockstat6'].map((name) => this.#files.read(`${pid}/net/${name}`))
    const counts = texts.map((text) => (typeof text === 'string' ? SOCKETS_IN_USE.exec(text)?.[1] : undefined))
    return counts[0] === undefined ? null : counts.join(' ')
  }

  #readSockets(pid: number): Map<number, ListeningSocket> | null {
    const texts = ['tcp', 'tcp6'].map((name) => this.#files.read(`${pid}/net/${name}`, MAX_TABLE_BYTES))
    // A kernel without IPv6 lacks tcp6.
    if (typeof texts[0] !== 'string') return null
    return new Map(texts.flatMap((text) => (typeof text === 'string' ? [...parseListening(text)] : [])))
  }

  #findOwners({ processes, owners }: Entry, sockets: ReadonlyMap<number, ListeningSocket>): void {
    const wanted = new Set([...sockets.keys()].filter((inode) => !owners.has(inode)))
    const looked = new Map<string | null, number>()
    for (const { pid, cgroup } of processes) {
      if (wanted.size === 0) return
      const count = looked.get(cgroup.podUid) ?? 0
      looked.set(cgroup.podUid, count + 1)
      if (count >= MAX_PROCESSES) continue
      const { podUid, containerId } = cgroup
      for (const inode of this.#socketsOf(pid)) if (wanted.delete(inode)) owners.set(inode, { podUid, containerId })
    }
    for (const inode of wanted) owners.set(inode, NO_OWNER)
  }

  *#socketsOf(pid: number): Iterable<number> {
    const names = this.#files.names(`${pid}/fd`)
    if (typeof names === 'symbol') return
    for (const name of names.slice(0, MAX_DESCRIPTORS)) {
      const link = this.#files.readLink(`${pid}/fd/${name}`)
      if (typeof link === 'string' && link.startsWith('socket:[')) yield Number(link.slice(8, -1))
    }
  }
}

/**
 * Parses /proc/net/tcp or tcp6: `sl local remote state … uid timeout inode …`. Listening sockets come first.
 *
 * @returns listening sockets by inode
 */
export function parseListening(text: string): Map<number, ListeningSocket> {
  const sockets = new Map<number, ListeningSocket>()
  // A last line without a line feed was cut at the read limit.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  for (const line of lines.slice(1)) {
    const fields = line.trim().split(/\s+/)
    if (fields[3] !== TCP_LISTEN) break
    const [address = '', port = ''] = fields[1].split(':')
    sockets.set(Number(fields[9]), { port: Number.parseInt(port, 16), loopbackOnly: LOOPBACK.test(address) })
  }
  return sockets
}

const byPort = (left: Listener, right: Listener): number =>
  left.port - right.port || Number(left.loopbackOnly) - Number(right.loopbackOnly)

/** Replaces equal listeners by the earlier objects, and an equal list by the earlier list. */
function reuse(before: readonly Listener[], now: readonly Listener[]): readonly Listener[] {
  const known = new Map(before.map((listener) => [JSON.stringify(listener), listener]))
  const reused = now.map((listener) => known.get(JSON.stringify(listener)) ?? listener)
  return sameItems(before, reused) ? before : reused
}
