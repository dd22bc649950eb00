/** Reads a kubeconfig file: the cluster and the user of its current context. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import {
  type Cluster,
  newClusters,
  newContexts,
  newUsers,
  type User,
} from '@kubernetes/client-node/dist/config_types.js'
import { parse } from 'yaml'
import { fileErrorText, usageError } from '../../errors.ts'
import { asObject, type JsonObject, listAt, objectAt, textAt } from './json.ts'
import { tokenFileOf, tokenFileProvider } from './token-file.ts'

/** The cluster to connect to, and the user to authenticate as. */
export interface Identity {
  readonly cluster: Cluster
  readonly user: User
}

/** @throws InterceptorError (EXIT_USAGE): the file cannot be read, or refers to an entry that it does not contain */
export async function readKubeconfig(path: string): Promise<Identity> {
  try {
    const { cluster, user } = currentContext(asObject(parse(await readFile(path, 'utf8'))))
    const folder = dirname(path)
    return { cluster: { ...cluster, ...absolute(cluster, folder, ['caFile']) }, user: withPaths(user, folder) }
  } catch (error) {
    const hint = 'The file is set by kubernetes.kubeconfig.'
    throw usageError(`kubeconfig ${path}: ${fileErrorText(error)}`, { cause: error, hint })
  }
}

function currentContext(config: JsonObject): Identity {
  const name = textAt(config, 'current-context')
  if (name === '') throw new Error('it has no current-context')
  const context = named(newContexts(config['contexts']), name, 'context')
  const cluster = named(newClusters(config['clusters']), context.cluster, 'cluster')
  if (cluster.proxyUrl !== undefined) throw new Error('proxy-url is not supported')
  if (!URL.canParse(cluster.server)) throw new Error(`its server ${cluster.server} is not a URL`)
  if (context.user === undefined) return { cluster, user: { name: '' } }
  return { cluster, user: withTokenFile(named(newUsers(config['users']), context.user, 'user'), config) }
}

function named<T extends { name: string }>(items: readonly T[], name: string, what: string): T {
  const found = items.find((item) => item.name === name)
  if (found === undefined) throw new Error(`it has no ${what} ${name}`)
  return found
}

/** `tokenFile` is a kubeconfig key that client-node ignores. */
function withTokenFile(user: User, config: JsonObject): User {
  const entries = listAt(config, 'users').map(asObject)
  const entry = asObject(entries.find(({ name }) => name === user.name))
  const path = textAt(objectAt(entry, 'user'), 'tokenFile')
  return path === '' ? user : { ...user, authProvider: tokenFileProvider(path) }
}

function withPaths(user: User, folder: string): User {
  const tokenFile = tokenFileOf(user)
  const authProvider = tokenFile === null ? user.authProvider : tokenFileProvider(resolve(folder, tokenFile))
  return { ...user, ...absolute(user, folder, ['certFile', 'keyFile']), authProvider }
}

/** Relative paths are relative to the kubeconfig's folder. */
function absolute<K extends string>(item: { [key in K]?: string }, folder: string, keys: readonly K[]) {
  const paths: { [key in K]?: string } = {}
  for (const key of keys) if (item[key]) paths[key] = resolve(folder, item[key])
  return paths
}
