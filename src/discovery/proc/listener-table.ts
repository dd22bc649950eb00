/**
 * Which TCP ports the pods with the host's network listen on, by the sockets of the host's namespace and the descriptors
 * of the pods' processes. Kept from pass to pass: descriptors are looked at only when a socket appears whose owner is not
 * known yet. Main thread.
 */
import type { ProcFiles } from './proc-files.ts'
import type { ProcessFacts } from './process.ts'

/** The sockets are read once in this many passes, and in each where a pod or a process of one is new. */
const READ_EVERY = 8
/** Read of a socket table, which begins with the listening ones: some 800 of them. Bytes. */
const MAX_TABLE_BYTES = 128 * 1024
/** Processes of one pod, and descriptors of one process, that are looked at. */
const MAX_PROCESSES = 64
const MAX_DESCRIPTORS = 1024

/** State of a listening socket (include/net/tcp_states.h). */
const TCP_LISTEN = '0A'
/** Addresses that only the host itself reaches, as the tables write them. */
const LOOPBACK = /^(?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/

const NONE: readonly number[] = []

/** Processes of the pods with the host's network, by the pod's uid. */
export type HostPods = ReadonlyMap<string, readonly ProcessFacts[]>

export class ListenerTable {
  readonly #files: ProcFiles
  #pass = 0
  #pods: HostPods = new Map()
  /** Ports by the inode of their socket. */
  #sockets = new Map<number, number>()
  /** Pod by the inode of a socket; null: of none. */
  #owners = new Map<number, string | null>()
  #ports = new Map<string, readonly number[]>()

  constructor(files: ProcFiles) {
    this.#files = files
  }

  /**
   * @param hostPid a process in the host's namespace
   * @returns ports in ascending order, the same object as before when they did not change. Without the privilege to look
   *   at descriptors of other users' processes (DAC_READ_SEARCH) theirs are missing.
   */
  look(hostPid: number, pods: HostPods): ReadonlyMap<string, readonly number[]> {
    this.#pass += 1
    const same = samePods(pods, this.#pods)
    if (same && this.#pass % READ_EVERY !== 0) return this.#ports
    this.#pods = pods
    this.#sockets = pods.size === 0 ? new Map() : this.#readSockets(hostPid)
    // A new process may have been given a socket that was nobody's.
    const known = [...this.#owners].filter(([inode, owner]) => this.#sockets.has(inode) && (same || owner !== null))
    this.#owners = new Map(known.filter(([, owner]) => owner === null || pods.has(owner)))
    this.#findOwners()
    this.#ports = this.#portsOf(pods)
    return this.#ports
  }

  #readSockets(hostPid: number): Map<number, number> {
    const sockets = new Map<number, number>()
    for (const name of ['tcp', 'tcp6']) {
      const text = this.#files.read(`${hostPid}/net/${name}`, MAX_TABLE_BYTES)
      if (typeof text === 'string') for (const [inode, port] of parseListening(text)) sockets.set(inode, port)
    }
    return sockets
  }

  #findOwners(): void {
    const wanted = new Set([...this.#sockets.keys()].filter((inode) => !this.#owners.has(inode)))
    for (const [uid, processes] of this.#pods) {
      for (const { pid } of processes.slice(0, MAX_PROCESSES)) {
        if (wanted.size === 0) return
        for (const inode of this.#socketsOf(pid)) if (wanted.delete(inode)) this.#owners.set(inode, uid)
      }
    }
    for (const inode of wanted) this.#owners.set(inode, null)
  }

  *#socketsOf(pid: number): Iterable<number> {
    const names = this.#files.names(`${pid}/fd`)
    if (typeof names === 'symbol') return
    for (const name of names.slice(0, MAX_DESCRIPTORS)) {
      const link = this.#files.readLink(`${pid}/fd/${name}`)
      if (typeof link === 'string' && link.startsWith('socket:[')) yield Number(link.slice(8, -1))
    }
  }

  #portsOf(pods: HostPods): Map<string, readonly number[]> {
    const found = new Map<string, Set<number>>()
    for (const uid of pods.keys()) found.set(uid, new Set())
    for (const [inode, owner] of this.#owners) {
      if (owner !== null) found.get(owner)?.add(this.#sockets.get(inode)!)
    }
    const entries = [...found].map(([uid, ports]) => [uid, this.#asBefore(uid, ports)] as const)
    return new Map(entries)
  }

  #asBefore(uid: string, ports: ReadonlySet<number>): readonly number[] {
    if (ports.size === 0) return NONE
    const sorted = [...ports].sort((left, right) => left - right)
    const before = this.#ports.get(uid) ?? NONE
    return before.join() === sorted.join() ? before : sorted
  }
}

/**
 * Reads /proc/<pid>/net/tcp or tcp6: `sl local remote state …`, with the inode as tenth field. Listening sockets come
 * first, so the rest is not looked at.
 *
 * @returns ports that others can reach, by the inode of their socket
 */
export function parseListening(text: string): Map<number, number> {
  const sockets = new Map<number, number>()
  // A line that was cut is not the last one's end.
  for (const line of text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(1)) {
    const fields = line.trim().split(/\s+/)
    if (fields[3] !== TCP_LISTEN) break
    const [address = '', port = ''] = fields[1].split(':')
    if (!LOOPBACK.test(address)) sockets.set(Number(fields[9]), Number.parseInt(port, 16))
  }
  return sockets
}

function samePods(left: HostPods, right: HostPods): boolean {
  if (left.size !== right.size) return false
  for (const [uid, processes] of left) {
    const others = right.get(uid)
    if (others?.length !== processes.length) return false
    if (processes.some((process, index) => process !== others[index])) return false
  }
  return true
}
