/** Asks a running agent's admin server. */
import { z } from 'zod'
import { PODS_PAGE, type PodsPage } from '../admin/pod-traffic.ts'
import { ADMIN_ADDRESS } from '../config/admin-address.ts'
import type { Config } from '../config/schema.ts'
import { errorText, runtimeError, usageError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { httpUrl, parseListenAddress } from '../net/listen-address.ts'

/** How long the agent may take to respond. Milliseconds. */
const TIMEOUT_MS = 5_000
/** 500 pods of a kilobyte each, with room for long names. */
const MOST_BYTES = 4 * 1024 * 1024

const LEDGER_PAGE: z.ZodType<Ledger> = z.lazy(() => z.record(z.string(), z.union([z.number(), LEDGER_PAGE])))

const TAP_PAGE = z.object({ socket: z.string().startsWith('/').nullable() })

/** The agent's traffic counts of each pod. @throws as `ask` */
export const fetchPods = (url: string | undefined, config: Pick<Config, 'admin'>): Promise<PodsPage> =>
  ask(url, config, '/pods', PODS_PAGE)

/** The agent's ledger so far. @throws as `ask` */
export const fetchLedger = (url: string | undefined, config: Pick<Config, 'admin'>): Promise<Ledger> =>
  ask(url, config, '/ledger', LEDGER_PAGE)

/** The unix socket of the tap of the agent at a URL; null: it has none. @throws as `ask` */
export const fetchTapSocket = async (url: string, config: Pick<Config, 'admin'>): Promise<string | null> =>
  (await ask(url, config, '/tap', TAP_PAGE)).socket

/**
 * Asks the agent at a URL, or at its configured address.
 *
 * @throws InterceptorError (EXIT_USAGE) when there is no address, (EXIT_RUNTIME) when the program there does not respond as an
 *   agent does
 */
async function ask<T>(
  url: string | undefined,
  { admin }: Pick<Config, 'admin'>,
  path: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const base = url ?? urlOf(admin.address)
  const page = new URL(path, agentUrl(base))
  try {
    const response = await fetch(page, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' })
    if (response.status === 429) throw new Error('it is asked for too many pages')
    const parsed = schema.safeParse(response.ok ? JSON.parse(await bodyOf(response)) : null)
    if (parsed.success) return parsed.data
  } catch (error) {
    throw noAgent(base, error)
  }
  throw noAgent(base, new Error('another program, or an older version, replied'))
}

function noAgent(base: string, error: unknown) {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return runtimeError(`there is no agent at ${base}: ${errorText(cause)}`, {
    hint: 'Run it beside the agent (kubectl exec), or name the agent with --agent http://ADDRESS:PORT (admin.address).',
  })
}

/** @throws InterceptorError (EXIT_USAGE) */
function agentUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'http:') return url
  throw usageError(`--agent: ${text} is not a URL such as http://127.0.0.1:9464`)
}

function urlOf(address: string): string {
  const at = parseListenAddress(address, ADMIN_ADDRESS)
  if (at === null) throw usageError('admin.address is empty, so the agent serves nothing: name an agent with --agent')
  const { host = '127.0.0.1', port } = at
  const isWildcard = host === '0.0.0.0' || host === '::'
  return httpUrl(isWildcard ? '127.0.0.1' : host, port)
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw new Error(`the reply is larger than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
