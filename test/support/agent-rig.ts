/**
 * The agent's process with this machine as a node: pods of a NodeRig, HTTP between them, and the agent's pairs in a
 * file. Other tests' pods may be on the node too; a rig reports only about its own requests.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Namespace } from '../../rig/netns.ts'
import { type NodeProcess, programOf } from '../../rig/node-processes.ts'
import type { RigPod } from '../../rig/node-rig.ts'
import { killAtExit } from '../../rig/process-tree.ts'
import { start } from '../cli/support.ts'

/** The pod at an end of a pair. */
export interface SeenPod {
  name: string | null
  namespace: string | null
  uid: string
  container: string
}

/** The fields of a pair that tests check. */
export interface SeenPair {
  id: string
  request: { target: string }
  client: { address: string; pod: SeenPod | null }
  server: { address: string; port: number; pod: SeenPod | null }
  capture: { node: string; interface: string; vantage: string; mesh: string | null; forwarded?: [string, string][] }
}

/** A line of the agent's log. */
export interface LogRecord {
  level: number
  msg: string
  [field: string]: unknown
}

const WAIT_MS = 60_000
const LOOK_MS = 20

/** Waits until the condition holds. @throws after a minute, with the last value and `state` */
export async function until(what: string, isSo: () => boolean, state = () => ''): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !isSo(); ) {
    if (Date.now() > end) throw new Error(`not within ${WAIT_MS / 1000} s: ${what}${state()}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

/** Settings under which everything is kept, unless a test changes them. */
const SETTINGS = [
  'ship.sink=file',
  'ship.format=json',
  'ship.linger=1ms',
  // The warm-up takes longer than most tests capture.
  'capture.warmUp=false',
  'limits.memory=96MiB',
  'ship.bufferBytes=16MiB',
  'kubernetes.enabled=false',
  'admin.address=127.0.0.1:0',
  // The default is one path for all agents of a machine.
  'tap.socket=',
]

export interface AgentOptions {
  /** `key=value`, over those of every test. */
  settings?: readonly string[]
  env?: Record<string, string>
  args?: readonly string[]
  /** Command prefix of the program. */
  under?: readonly string[]
}

export class AgentRig {
  readonly child: ChildProcess
  readonly #file: string
  #log = ''

  private constructor(t: TestContext, { settings = [], env = {}, args = [], under = [] }: AgentOptions) {
    const folder = mkdtempSync(join(tmpdir(), 'agent-'))
    this.#file = join(folder, 'pairs')
    const all = [...SETTINGS, `ship.file=${this.#file}`, ...settings]
    this.child = start(['agent', ...all.flatMap((setting) => ['--set', setting]), ...args], { env, under })
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text
    })
    t.after(async () => {
      if (this.child.exitCode === null && this.child.signalCode === null) {
        process.kill(this.pid, 'SIGKILL')
        await once(this.child, 'exit')
      }
      rmSync(folder, { recursive: true })
    })
  }

  /** Starts an agent that may end by itself. @param under command prefix of the program */
  static under(t: TestContext, under: readonly string[], options: AgentOptions = {}): AgentRig {
    return new AgentRig(t, { ...options, under })
  }

  /** Starts an agent; resolves once it captures the pods that exist. */
  static async create(
    t: TestContext,
    captured: readonly Namespace[] = [],
    options: AgentOptions = {},
  ): Promise<AgentRig> {
    const rig = new AgentRig(t, options)
    await rig.logged('metrics and health are served')
    for (const namespace of captured) await rig.captures(namespace)
    return rig
  }

  get log(): string {
    return this.#log
  }

  get records(): LogRecord[] {
    const whole = this.#log.slice(0, this.#log.lastIndexOf('\n') + 1)
    return whole.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogRecord] : []))
  }

  /** Address of metrics and health. */
  get url(): string {
    return String(this.records.find(({ url }) => url !== undefined)?.['url'])
  }

  async logged(message: string, fields: Record<string, unknown> = {}): Promise<void> {
    const isIt = (record: LogRecord): boolean =>
      record.msg === message && Object.entries(fields).every(([name, value]) => record[name] === value)
    await until(
      `${message} ${JSON.stringify(fields)}`,
      () => this.records.some(isIt),
      () => ` in the log: ${this.#log}`,
    )
  }

  /** Waits until a namespace's interface is captured. */
  async captures(namespace: Namespace, device = 'eth0'): Promise<void> {
    await this.logged('captured', { key: `${namespace.inode}/${device}` })
  }

  /** Pairs so far whose target begins with `prefix`. */
  pairs(prefix: string): SeenPair[] {
    const text = existsSync(this.#file) ? readFileSync(this.#file, 'utf8') : ''
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
    const pairs = lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line) as SeenPair]))
    return pairs.filter(({ request }) => request.target.startsWith(prefix))
  }

  /** The agent's process, even if another process started it. */
  get pid(): number {
    return programOf(this.child.pid!)
  }

  /** Sends SIGTERM. @returns the exit code */
  async end(): Promise<number | null> {
    process.kill(this.pid, 'SIGTERM')
    await once(this.child, 'exit')
    return this.child.exitCode
  }
}

/** A path that no other test requests. */
export const uniquePath = (): string => `/${randomUUID()}`

const SERVER = `
const http = require('http')
http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  request.resume().on('end', () => response.end(JSON.stringify({ ok: true })))
}).listen(Number(process.argv[1]), process.argv[2])`

/** The command of an HTTP server that responds to everything with JSON. @param address listen address */
export const serverProgram = (port: number, address = '0.0.0.0'): string[] => {
  return [process.execPath, '-e', SERVER, String(port), address]
}

/** An HTTP server in a container of a pod, which responds to everything with JSON. @param address listen address */
export async function serveIn(pod: RigPod, port: number, address = '0.0.0.0'): Promise<NodeProcess> {
  const server = await pod.run('server', { program: serverProgram(port, address) })
  await until(`port ${port} of pod ${pod.uid}`, () => isListening(server.pid, port))
  return server
}

/** Whether a process's namespace has a TCP socket that listens there. */
export function isListening(pid: number, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return new RegExp(`:${hex} [0-9A-F]+:0000 0A `).test(readFileSync(`/proc/${pid}/net/tcp`, 'utf8'))
}

const CLIENT = `
const [url, count, pause, host] = process.argv.slice(1)
const http = require(url.startsWith('https:') ? 'https' : 'http')
const agent = new http.Agent({ keepAlive: true, rejectUnauthorized: false })
const one = (n) => new Promise((resolve) => {
  const request = http.get(url + '/' + n, { agent, timeout: 5000, headers: host === '' ? {} : { host } }, (response) => {
    response.resume().on('end', () => { console.log(n); resolve() }).on('error', resolve)
  })
  request.on('error', resolve).on('timeout', () => request.destroy())
})
;(async () => {
  for (let n = 0; n < Number(count); n++) {
    await one(n)
    if (pause !== '0') await new Promise((resolve) => setTimeout(resolve, Number(pause)))
  }
  agent.destroy()
})()`

export interface RequestOptions {
  /** Pause between two requests. */
  pauseMs?: number
  /** Host field; default: from the URL. */
  host?: string
}

/**
 * Sends `count` GET requests over one connection, or a new one if it ends; their paths end in `/0`, `/1`, …
 *
 * @param namespace null: this machine's
 * @returns the numbers of those that were answered in full
 */
export async function request(
  namespace: Namespace | null,
  url: string,
  count: number,
  { pauseMs = 0, host = '' }: RequestOptions = {},
): Promise<number[]> {
  const within = namespace === null ? [] : ['ip', 'netns', 'exec', namespace.name]
  const client = [...within, process.execPath, '-e', CLIENT, url, String(count), String(pauseMs), host]
  const child = killAtExit(spawn(client[0], client.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] }))
  const exited = once(child, 'exit')
  const answered = Buffer.concat(await child.stdout.toArray()).toString()
  await exited
  return answered.split('\n').slice(0, -1).map(Number)
}
