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
import { dirname, resolve } from 'node:path'
import type { Cluster, User } from '@kubernetes/client-node/dist/config_types.js'
import type { Config } from '../../config.ts'
import { errorText, usageError } from '../../errors.ts'
import { asObject, type JsonObject, listAt, objectAt, textAt } from './json.ts'

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
  if (kubeconfig !== '') return fromKubeconfig(kubeconfig)
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
  return accessFor(cluster, { name: 'service account', authProvider: tokenFile(`${folder}/token`) })
}

/** How client-node's FileAuth is told of a file. */
const tokenFile = (path: string): JsonObject => ({ name: 'tokenFile', config: { tokenFile: path } })

async function fromKubeconfig(path: string): Promise<ApiAccess> {
  const problem = (what: string): Error =>
    usageError(`kubeconfig ${path}: ${what}`, { hint: 'It is named by kubernetes.kubeconfig.' })
  let raw: JsonObject
  try {
    const { parse } = await import('yaml')
    raw = asObject(parse(await readFile(path, 'utf8')))
  } catch (error) {
    throw problem(errorText(error))
  }
  const { newClusters, newContexts, newUsers } = await import('@kubernetes/client-node/dist/config_types.js')
  const named = <T extends { name: string }>(items: T[], name: string, what: string): T => {
    const found = items.find((item) => item.name === name)
    if (found === undefined) throw problem(`no ${what} is called ${name === '' ? 'as its current-context' : name}`)
    return found
  }
  let parsed: { clusters: Cluster[]; users: User[]; contexts: ReturnType<typeof newContexts> }
  try {
    const [clusters, users] = [newClusters(raw['clusters']), newUsers(raw['users'])]
    parsed = { clusters, users, contexts: newContexts(raw['contexts']) }
  } catch (error) {
    throw problem(errorText(error))
  }
  const context = named(parsed.contexts, textAt(raw, 'current-context'), 'context')
  const cluster = named(parsed.clusters, context.cluster, 'cluster')
  if (cluster.proxyUrl !== undefined) throw problem('proxy-url is not supported')
  if (!URL.canParse(cluster.server)) throw problem(`its server ${cluster.server} is no URL`)
  const user = named(parsed.users, context.user ?? '', 'user')
  const folder = dirname(path)
  return accessFor(withPaths(cluster, folder), withPaths(withTokenFile(user, raw), folder))
}

/** `tokenFile` is a key of kubeconfigs that client-node does not know. */
function withTokenFile(user: User, raw: JsonObject): User {
  const entry = listAt(raw, 'users')
    .map(asObject)
    .find(({ name }) => name === user.name)
  const path = textAt(objectAt(entry ?? {}, 'user'), 'tokenFile')
  return path === '' ? user : { ...user, authProvider: tokenFile(path) }
}

/** Relative paths count from the kubeconfig's folder. */
function withPaths<T extends Cluster | User>(item: T, folder: string): T {
  const result = { ...item } as T & Record<'caFile' | 'certFile' | 'keyFile', string | undefined>
  for (const name of ['caFile', 'certFile', 'keyFile'] as const) {
    const path = result[name]
    if (path !== undefined && path !== null) result[name] = resolve(folder, path)
  }
  const provider = asObject((item as User).authProvider)
  const path = textAt(objectAt(provider, 'config'), 'tokenFile')
  return path === '' ? result : { ...result, authProvider: tokenFile(resolve(folder, path)) }
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
  if (textAt(objectAt(asObject(user.authProvider), 'config'), 'tokenFile') !== '') {
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
