/**
 * How the API server is reached: its address, whom to trust, and as whom to ask. From a kubeconfig, or from the pod's
 * service account.
 *
 * Of @kubernetes/client-node this takes the parts that read configurations, token files and credential plugins, each when
 * it is needed: its KubeConfig class imports every typed API there is, 72 MB of them, and its Watch hides the Retry-After
 * of a refusal, holds lines of any length and hangs on a connection whose peer is gone.
 */
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { isIPv6 } from 'node:net'
import type { Cluster, User } from '@kubernetes/client-node/dist/config_types.js'
import type { Config } from '../../config/schema.ts'
import { usageError } from '../../errors.ts'
import { asObject } from './json.ts'
import { tokenFileOf, tokenFileProvider } from './token-file.ts'

/** Where kubelets put a pod's credentials. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The way to one API server. */
export interface ApiAccess {
  /** Its address; a path in it goes before every request's own. */
  readonly server: URL
  /** Trust and credentials for one request, read anew: tokens and certificates are replaced while we run. */
  credentials(): Promise<RequestOptions>
  /** Forgets what is remembered of the credentials, because the server did not take them. */
  forgetCredentials(): void
}

export interface AccessOptions extends Pick<Config['kubernetes'], 'enabled' | 'kubeconfig'> {
  /** Absent: this process's. */
  env?: NodeJS.ProcessEnv
  /** Where the pod's credentials are. Absent: where kubelets put them. */
  serviceAccountFolder?: string
}

/**
 * The API server the configuration means.
 *
 * @returns null: none is to be asked
 * @throws InterceptorError, exit 2: `kubernetes.enabled` is true and there is none, or the kubeconfig cannot be used
 */
export async function findApiServer(options: AccessOptions): Promise<ApiAccess | null> {
  const env = options.env ?? process.env
  const { enabled, kubeconfig } = options
  if (enabled === false) return null
  if (kubeconfig !== '') {
    const { readKubeconfig } = await import('./kubeconfig.ts')
    const { cluster, user } = await readKubeconfig(kubeconfig)
    return accessFor(cluster, user)
  }
  const host = env['KUBERNETES_SERVICE_HOST']
  if (host !== undefined && host !== '') {
    const port = env['KUBERNETES_SERVICE_PORT'] ?? '443'
    return inCluster(host, port, options.serviceAccountFolder ?? SERVICE_ACCOUNT)
  }
  if (enabled === 'auto') return null
  throw usageError('kubernetes.enabled is true, but there is no API server to ask', {
    hint: 'Run it in a pod with a service account, or set kubernetes.kubeconfig.',
  })
}

function inCluster(host: string, port: string, folder: string): Promise<ApiAccess> {
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`
  const cluster: Cluster = { name: 'in-cluster', server, caFile: `${folder}/ca.crt`, skipTLSVerify: false }
  return accessFor(cluster, { name: 'service account', authProvider: tokenFileProvider(`${folder}/token`) })
}

interface Authenticator {
  applyAuthentication(user: User, options: RequestOptions): Promise<void>
}

async function accessFor(cluster: Cluster, user: User): Promise<ApiAccess> {
  const makeAuthenticator = await authenticatorFor(user)
  let authenticator = makeAuthenticator()
  return {
    server: new URL(cluster.server),
    async credentials() {
      const options: RequestOptions = { headers: {}, rejectUnauthorized: !cluster.skipTLSVerify }
      if (cluster.tlsServerName) options.servername = cluster.tlsServerName
      const ca = await pem(cluster.caFile, cluster.caData)
      const cert = await pem(user.certFile, user.certData)
      const key = await pem(user.keyFile, user.keyData)
      Object.assign(options, ca && { ca }, cert && { cert }, key && { key })
      await authenticator.applyAuthentication(user, options)
      options.headers = asHeaders(options.headers)
      if (user.impersonateUser) options.headers['Impersonate-User'] = user.impersonateUser
      return options
    },
    forgetCredentials() {
      authenticator = makeAuthenticator()
    },
  }
}

/** A file's content, else the one written into the kubeconfig. */
async function pem(file: string | undefined, data: string | undefined): Promise<Buffer | null> {
  if (file) return readFile(file)
  return data ? Buffer.from(data, 'base64') : null
}

/** Headers as text without space around them: a token file may end with a line break, which no header may hold. */
function asHeaders(headers: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(asObject(headers)).map(([name, value]) => [name, String(value).trim()]))
}

/** What puts the user's credentials into a request; made anew, it has forgotten those it had. */
async function authenticatorFor(user: User): Promise<() => Authenticator> {
  if (tokenFileOf(user) !== null) {
    const { FileAuth } = await import('@kubernetes/client-node/dist/file_auth.js')
    return () => new FileAuth()
  }
  if (user.exec) {
    const { ExecAuth } = await import('@kubernetes/client-node/dist/exec_auth.js')
    return () => new ExecAuth()
  }
  return () => ({
    async applyAuthentication({ token }, options) {
      if (token) options.headers = { Authorization: `Bearer ${token}` }
    },
  })
}
