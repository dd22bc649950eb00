/**
 * Locates the API server and authenticates to it: address, trusted authorities and credentials, from a kubeconfig or from
 * the pod's service account.
 *
 * Only the parts of @kubernetes/client-node that read configurations, token files and credential plugins are used, each
 * imported when needed. Its KubeConfig class imports every typed API (72 MB); its Watch hides the Retry-After of a
 * refusal, buffers lines without limit, and hangs when the peer disappears without closing the connection.
 */
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { isIPv6 } from 'node:net'
import type { Cluster, User } from '@kubernetes/client-node/dist/config_types.js'
import type { Config } from '../../config/schema.ts'
import { usageError } from '../../errors.ts'
import { asObject } from './json.ts'
import { tokenFileOf, tokenFileProvider } from './token-file.ts'

/** Where the kubelet mounts a pod's credentials. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** How to reach one API server. */
export interface ApiAccess {
  /** Its address; a path in it prefixes the path of every request. */
  readonly server: URL
  /** Trusted authorities and credentials for one request, read again each time: tokens and certificates are rotated. */
  credentials(): Promise<RequestOptions>
  /** Discards cached credentials, because the server rejected them. */
  forgetCredentials(): void
}

export interface AccessOptions extends Pick<Config['kubernetes'], 'enabled' | 'kubeconfig'> {
  /** Default: this process's environment. */
  env?: NodeJS.ProcessEnv
  /** The folder with the pod's credentials. Default: where the kubelet mounts them. */
  serviceAccountFolder?: string
}

/**
 * Finds the API server of the configuration.
 *
 * @returns null: no API server is to be used
 * @throws InterceptorError (EXIT_USAGE): `kubernetes.enabled` is true but no API server is configured, or the kubeconfig cannot
 *   be used
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
  throw usageError('kubernetes.enabled is true, but there is no API server', {
    hint: 'Run in a pod with a service account, or set kubernetes.kubeconfig.',
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

/** The content of the file; without a file, the data embedded in the kubeconfig. */
async function pem(file: string | undefined, data: string | undefined): Promise<Buffer | null> {
  if (file) return readFile(file)
  return data ? Buffer.from(data, 'base64') : null
}

/** Header values, trimmed: a token file may end with a line break, which is invalid in a header. */
function asHeaders(headers: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(asObject(headers)).map(([name, value]) => [name, String(value).trim()]))
}

/** Returns a factory of authenticators; a new authenticator has no cached credentials. */
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
