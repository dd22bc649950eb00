/** Network namespaces and veth pairs for tests. Needs root and iproute2. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { atExit } from './at-exit.ts'
import { killAtExit } from './process-tree.ts'

/** Where iproute2 keeps the names. */
const NAMES = '/run/netns'

let made = 0
/** Prefixes of which nothing abandoned is left. */
const tidy = new Set<string>()

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

export class Namespace {
  readonly name: string
  readonly #forget: () => void

  private constructor(name: string) {
    this.name = name
    run('ip', 'netns', 'add', name)
    this.#forget = atExit(() => this.#delete())
  }

  /**
   * Creates a namespace with `lo` up. The caller deletes it (`t.after(() => ns.delete())`); it is deleted at the exit
   * of this process at the latest, or, if that is killed, by the next one that creates any with the prefix.
   */
  static create(prefix = 'itl'): Namespace {
    if (!tidy.has(prefix)) deleteAbandoned(prefix)
    tidy.add(prefix)
    made += 1
    const namespace = new Namespace(`${prefix}-${process.pid}-${made}`)
    namespace.ip('link', 'set', 'lo', 'up')
    return namespace
  }

  /**
   * Creates two namespaces connected by a veth pair named `eth0` on both sides, 10.77.0.1 and 10.77.0.2 (and fd77::1,
   * fd77::2). Offloads are the kernel's defaults, so segments of up to 64 KB pass unsplit.
   */
  static pair(prefix = 'itl'): [Namespace, Namespace] {
    const [left, right] = [Namespace.create(prefix), Namespace.create(prefix)]
    Namespace.join(left, right)
    return [left, right]
  }

  /**
   * Creates that veth pair, possibly again after it was deleted.
   *
   * @param index of the left end; undefined: the next one
   */
  static join(left: Namespace, right: Namespace, index?: number): void {
    const wanted = index === undefined ? [] : ['index', String(index)]
    left.ip('link', 'add', 'eth0', ...wanted, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', right.name)
    left.configure('eth0', 1)
    right.configure('eth0', 2)
  }

  /** Path for setns. */
  get path(): string {
    return `${NAMES}/${this.name}`
  }

  /** The inode that identifies the namespace. */
  get inode(): number {
    return statSync(this.path).ino
  }

  /** Assigns 10.77.0.`host`/24 and fd77::`host`/64 to a device and brings it up. */
  configure(device: string, host: number): void {
    this.ip('addr', 'add', `10.77.0.${host}/24`, 'dev', device)
    this.ip('-6', 'addr', 'add', `fd77::${host}/64`, 'dev', device, 'nodad')
    this.ip('link', 'set', device, 'up')
  }

  /** `ip -n <namespace> …`. */
  ip(...args: string[]): string {
    return run('ip', '-n', this.name, ...args)
  }

  /** Runs a program in the namespace to its end. @returns its standard output */
  exec(program: string, ...args: string[]): string {
    return run('ip', 'netns', 'exec', this.name, program, ...args)
  }

  /**
   * Starts a program in the namespace, where it sees its control groups, as in a container. The caller kills it; it is killed at the exit
   * of this process at the latest.
   */
  spawn(program: string, ...args: string[]): ChildProcess {
    return killAtExit(
      spawn('nsenter', [`--net=${NAMES}/${this.name}`, program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] }),
    )
  }

  delete(): void {
    this.#delete()
    this.#forget()
  }

  #delete(): void {
    run('ip', 'netns', 'delete', this.name)
  }
}

/** Deletes the namespaces of processes that have ended. */
function deleteAbandoned(prefix: string): void {
  if (!existsSync(NAMES)) return
  for (const name of readdirSync(NAMES)) {
    const [, owner] = new RegExp(`^${prefix}-(\\d+)-\\d+$`).exec(name) ?? []
    if (owner === undefined || isRunning(Number(owner))) continue
    try {
      run('ip', 'netns', 'delete', name)
    } catch {
      // Another process has just deleted it.
    }
  }
}

const isRunning = (pid: number): boolean => existsSync(`/proc/${pid}`)
