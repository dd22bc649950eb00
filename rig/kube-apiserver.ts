/**
 * A real Kubernetes API server for tests: kube-apiserver with etcd beside it, TLS, RBAC and service account tokens.
 * There are no controllers, no scheduler and no kubelet: a test creates the objects that they would create, including
 * statuses.
 *
 * Data, keys and logs live in a temporary folder; both processes are started and ended by their own ids.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { temporaryFolder } from './at-exit.ts'
import { buildKubeApiserver, KUBE_APISERVER } from './kube-apiserver-build.ts'
import { needs } from './needs.ts'
import { reservePorts } from './ports.ts'
import { killAtExit } from './process-tree.ts'
import { GO_ENV } from './root.ts'

const READY_MS = 90_000
const STOP_MS = 20_000
const LOOK_MS = 100

/** For node:test's `skip`: false if kube-apiserver can run here, otherwise the reason; always false with CI=true. */
export function needsKubeApiserver(): string | false {
  const missing = existsSync(KUBE_APISERVER) ? needs('etcd', 'openssl') : needs('go', 'etcd', 'openssl')
  if (missing !== false) return missing
  const reason = buildKubeApiserver()
  return reason === null || process.env['CI'] === 'true' ? false : `needs kube-apiserver (${reason})`
}

export interface KubeApiserverOptions {
  /** Added to kube-apiserver's command line, as `--watch-cache=false`. */
  flags?: string[]
}

/** An object of the API, as JSON. */
export type KubeObject = Record<string, unknown>

/** An error response of the API server. */
export class KubeError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export class KubeApiserver {
  readonly folder = temporaryFolder('kube-apiserver-')
  /** PEM of the authority that signed the server's certificate and signs clients'. */
  readonly caFile = join(this.folder, 'ca.crt')
  /** PEM of a certificate for localhost and 127.0.0.1 by that authority, and its key: for a proxy in front. */
  readonly certFile = join(this.folder, 'server.crt')
  readonly keyFile = join(this.folder, 'server.key')
  readonly #flags: readonly string[]
  #port = 0
  #etcdPort = 0
  #etcd: ChildProcess | null = null
  #server: ChildProcess | null = null
  #admin: Agent | null = null

  private constructor(options: KubeApiserverOptions) {
    this.#flags = options.flags ?? []
  }

  /** Starts etcd and the API server, on ports of their own. */
  static async start(options: KubeApiserverOptions = {}): Promise<KubeApiserver> {
    const cluster = new KubeApiserver(options)
    try {
      makeKeys(cluster.folder)
      const port = await reservePorts(3)
      cluster.#port = port
      cluster.#etcdPort = port + 1
      cluster.#etcd = cluster.#spawn('etcd', 'etcd', etcdArgs(cluster.folder, port + 1, port + 2))
      await cluster.startServer()
    } catch (error) {
      await cluster.remove()
      throw error
    }
    return cluster
  }

  get port(): number {
    return this.#port
  }

  /** `https://127.0.0.1:<port>`. */
  get url(): string {
    return `https://127.0.0.1:${this.#port}`
  }

  /** Process id of kube-apiserver. */
  get pid(): number {
    return this.#server?.pid ?? 0
  }

  /** Starts the API server again, on the same port and data, and waits until it is ready. */
  async startServer(): Promise<void> {
    const args = [...serverArgs(this.folder, this.#port, this.#etcdPort), ...this.#flags]
    const child = this.#spawn('kube-apiserver', KUBE_APISERVER, args)
    this.#server = child
    this.#admin = new Agent({ keepAlive: true, maxSockets: 16, ...this.#adminTls() })
    const end = Date.now() + READY_MS
    while (!(await this.#isReady())) {
      if (child.exitCode !== null || Date.now() > end) {
        throw new Error(`kube-apiserver did not start:\n${this.#lastLog('kube-apiserver')}`)
      }
      await sleep(LOOK_MS)
    }
  }

  /** Ends the API server, not etcd: SIGTERM closes watches orderly, SIGKILL is a crash. */
  async stopServer(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const [server, admin] = [this.#server, this.#admin]
    this.#server = null
    admin?.destroy()
    await end(server, signal)
  }

  /** Stops both and removes everything. */
  async remove(): Promise<void> {
    await this.stopServer('SIGKILL')
    await end(this.#etcd, 'SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Compacts etcd, so that a watch from an older revision gets 410 Gone. */
  async compact(): Promise<void> {
    const { header } = (await this.#etcdCall('/v3/kv/range', { key: 'Lw==' })) as { header: { revision: string } }
    await this.#etcdCall('/v3/kv/compaction', { revision: header.revision, physical: true })
  }

  get(path: string): Promise<KubeObject> {
    return this.#call('GET', path)
  }

  create(path: string, body: KubeObject): Promise<KubeObject> {
    return this.#call('POST', path, body)
  }

  /** A merge patch. */
  patch(path: string, body: KubeObject): Promise<KubeObject> {
    return this.#call('PATCH', path, body, 'application/merge-patch+json')
  }

  replace(path: string, body: KubeObject): Promise<KubeObject> {
    return this.#call('PUT', path, body)
  }

  /** Deletes at once, without a grace period. */
  delete(path: string): Promise<KubeObject> {
    return this.#call('DELETE', path, { gracePeriodSeconds: 0, propagationPolicy: 'Background' })
  }

  #isReady(): Promise<boolean> {
    return this.#call('GET', '/readyz').then(
      () => true,
      () => false,
    )
  }

  #adminTls(): { ca: Buffer; cert: Buffer; key: Buffer } {
    const read = (name: string): Buffer => readFileSync(join(this.folder, name))
    return { ca: read('ca.crt'), cert: read('admin.crt'), key: read('admin.key') }
  }

  #call(method: string, path: string, body?: KubeObject, type = 'application/json'): Promise<KubeObject> {
    const { promise, resolve, reject } = withResolvers<KubeObject>()
    const payload = body === undefined ? '' : JSON.stringify(body)
    // Required, because Node.js does not frame the body of a DELETE by itself.
    const headers = body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }
    const call = request(`${this.url}${path}`, { method, agent: this.#admin!, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        const status = response.statusCode ?? 0
        const result = text.startsWith('{') ? (JSON.parse(text) as KubeObject) : { text }
        if (status < 300) resolve(result)
        else reject(new KubeError(status, `${method} ${path}: ${status} ${result['message'] ?? text}`))
      })
    })
    call.on('error', reject)
    call.end(payload)
    return promise
  }

  /** etcd's own API, through its JSON gateway. */
  #etcdCall(path: string, body: KubeObject): Promise<unknown> {
    const { promise, resolve, reject } = withResolvers<unknown>()
    const options = { host: '127.0.0.1', port: this.#etcdPort, path, method: 'POST' }
    const call = httpRequest(options, async (response) => {
      const text = Buffer.concat(await response.toArray()).toString()
      if (response.statusCode === 200) resolve(JSON.parse(text))
      else reject(new Error(`etcd ${path}: ${text}`))
    })
    call.on('error', reject)
    call.end(JSON.stringify(body))
    return promise
  }

  #spawn(name: string, program: string, args: string[]): ChildProcess {
    const log = openSync(join(this.folder, `${name}.log`), 'a')
    const env = { ...process.env, ...GO_ENV }
    const child = killAtExit(spawn(program, args, { env, stdio: ['ignore', log, log] }))
    closeSync(log)
    return child
  }

  #lastLog(name: string): string {
    return readFileSync(join(this.folder, `${name}.log`), 'utf8')
      .split('\n')
      .slice(-20)
      .join('\n')
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((settle, fail) => {
    resolve = settle
    reject = fail
  })
  return { promise, resolve, reject }
}

async function end(child: ChildProcess | null, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(timer)
}

function etcdArgs(folder: string, port: number, peerPort: number): string[] {
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`]
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // Its data need not survive a crash of the machine.
    '--unsafe-no-fsync',
  ]
}

function serverArgs(folder: string, port: number, etcdPort: number): string[] {
  const file = (name: string): string => join(folder, name)
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${file('certs')}`,
    `--tls-cert-file=${file('server.crt')}`,
    `--tls-private-key-file=${file('server.key')}`,
    `--client-ca-file=${file('ca.crt')}`,
    `--service-account-key-file=${file('sa.key')}`,
    `--service-account-signing-key-file=${file('sa.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--authorization-mode=Node,RBAC',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--allow-privileged=true',
    // Disabled, because it needs a controller that creates each namespace's default account.
    '--disable-admission-plugins=ServiceAccount',
    // Disabled, because the start needs a quarter less CPU time without it.
    '--enable-priority-and-fairness=false',
  ]
}

/** An authority, a certificate of the server's and an administrator's certificate, and the key that signs tokens. */
function makeKeys(folder: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  const days = ['-days', '2']
  // Creating it takes a hundredth of the time of an RSA key.
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'sa.key')
  openssl('req', '-x509', ...newKey, ...days, '-subj', '/CN=test-ca', '-keyout', 'ca.key', '-out', 'ca.crt')
  const sign = (name: string, subject: string, extensions: string): void => {
    writeFileSync(join(folder, `${name}.ext`), extensions)
    openssl('req', ...newKey, '-subj', subject, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`]
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, ...days, '-out', `${name}.crt`)
  }
  sign('server', '/CN=kube-apiserver', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  sign('admin', '/O=system:masters/CN=admin', 'extendedKeyUsage=clientAuth\n')
}
