/** Why the API server did not do what it was asked, and what a person can do about it. */
import { errorText } from '../../errors.ts'
import { asObject, type JsonObject, listAt, objectAt, textAt } from './json.ts'

/** What was asked, in RBAC's words. */
export interface ApiAction {
  readonly verb: 'get' | 'list' | 'watch'
  /** Plural, as `pods`. */
  readonly resource: string
  /** API group; empty: the core's. */
  readonly group: string
}

/** A failure with what is decided by it. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** HTTP status; 0: there was no answer. */
  readonly status: number
  /** The API's reason, as `Expired`; empty: none was given. */
  readonly reason: string
  /** Not to be asked again for so long (`Retry-After`); 0: not said. */
  readonly retryAfterMs: number

  constructor(status: number, message: string, details: { reason?: string; retryAfterMs?: number } = {}) {
    super(message)
    this.status = status
    this.reason = details.reason ?? ''
    this.retryAfterMs = details.retryAfterMs ?? 0
  }

  /** The history from the revision asked for is gone: only a new list helps. */
  get isGone(): boolean {
    return this.status === 410 || this.reason === 'Expired' || this.reason === 'Gone'
  }

  /** The server has not come as far as the revision asked for: it was restored from a backup, or lags behind. */
  get isAhead(): boolean {
    return this.reason === 'ResourceVersionTooLarge'
  }

  get isUnauthenticated(): boolean {
    return this.status === 401
  }

  get isForbidden(): boolean {
    return this.status === 403
  }
}

/** An API Status object, from an answer's body or a watch's ERROR event. */
export function errorFromStatus(status: number, body: unknown, retryAfter: string | undefined): ApiError {
  const object = asObject(body)
  const code = typeof object['code'] === 'number' ? object['code'] : status
  const details = objectAt(object, 'details')
  const retryAfterMs = retryAfterOf(retryAfter, details)
  const causes = listAt(details, 'causes').map((cause) => textAt(asObject(cause), 'reason'))
  const reason = causes.includes('ResourceVersionTooLarge') ? 'ResourceVersionTooLarge' : textAt(object, 'reason')
  return new ApiError(code, textAt(object, 'message') || `HTTP status ${status}`, { reason, retryAfterMs })
}

/** Longest Retry-After that is obeyed. */
const RETRY_AFTER_MAX_MS = 5 * 60_000

/** RFC 9110 §10.2.3: seconds or a date. The API's Status may say it too. */
function retryAfterOf(header: string | undefined, details: JsonObject): number {
  const said = Number(details['retryAfterSeconds'] ?? 0) * 1000
  if (header === undefined) return bounded(said)
  const seconds = Number(header)
  return bounded(Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000)
}

const bounded = (ms: number): number => (ms > 0 ? Math.min(ms, RETRY_AFTER_MAX_MS) : 0)

/** A failure for a person. */
export interface Failure {
  /** Failures of one kind are one event, though their words differ. */
  readonly kind: 'forbidden' | 'unauthenticated' | 'throttled' | 'unreachable' | 'refused'
  readonly message: string
  /** The mend, in a sentence or two. */
  readonly hint: string
}

/** Says what failed and names the mend. */
export function describeFailure(error: unknown, action: ApiAction): Failure {
  const { verb, resource } = action
  const failed = `the API server cannot be asked to ${verb} ${resource}`
  if (!(error instanceof ApiError) || error.status === 0) {
    const hint = 'Interceptor goes on trying; meanwhile pairs carry no new names.'
    return { kind: 'unreachable', message: `${failed}: ${errorText(error)}`, hint }
  }
  if (error.isForbidden) return { kind: 'forbidden', ...forbidden(error, action) }
  if (error.isUnauthenticated) {
    const message = `the API server does not accept our credentials (${verb} ${resource}: 401 ${error.message})`
    const hint =
      'The token or certificate has expired or was revoked. A service account’s token is read anew from its file; ' +
      'does the service account still exist?'
    return { kind: 'unauthenticated', message, hint }
  }
  const message = `${failed}: ${error.status} ${error.message}`
  const hint = 'Interceptor goes on trying.'
  return { kind: error.status === 429 ? 'throttled' : 'refused', message, hint }
}

function forbidden(error: ApiError, { verb, resource, group }: ApiAction): { message: string; hint: string } {
  const user = /User "([^"]+)"/.exec(error.message)?.[1]
  const rule = `apiGroups: ["${group}"], resources: ["${resource}"], verbs: ["${verb}"]`
  return {
    message: `the API server does not let ${user ?? 'this agent'} ${verb} ${resource} (403)`,
    hint: `Add to its ClusterRole: ${rule}.`,
  }
}
