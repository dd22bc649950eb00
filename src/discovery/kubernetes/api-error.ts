/** Errors of the API server, and what an operator can do about them. */
import { errorText } from '../../errors.ts'
import { asObject, type JsonObject, listAt, objectAt, textAt } from './json.ts'

/** A request, in RBAC's terms. */
export interface ApiAction {
  readonly verb: 'get' | 'list' | 'watch'
  /** Plural, as `pods`. */
  readonly resource: string
  /** API group; empty: the core's. */
  readonly group: string
}

/** A failed request, with the details that decide how it is handled. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** HTTP status; 0: there was no response. */
  readonly status: number
  /** The API's reason, such as `Expired`; empty: none. */
  readonly reason: string
  /** Do not retry before this (`Retry-After`); 0: not specified. */
  readonly retryAfterMs: number

  constructor(status: number, message: string, details: { reason?: string; retryAfterMs?: number } = {}) {
    super(message)
    this.status = status
    this.reason = details.reason ?? ''
    this.retryAfterMs = details.retryAfterMs ?? 0
  }

  /** The requested revision is no longer in the server's history: a new list is required. */
  get isGone(): boolean {
    return this.status === 410 || this.reason === 'Expired' || this.reason === 'Gone'
  }

  /** The requested revision is ahead of the server: it was restored from a backup, or lags behind. */
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

/** Converts an API Status object, from a response's body or a watch's ERROR event. */
export function errorFromStatus(status: number, body: unknown, retryAfter: string | undefined): ApiError {
  const object = asObject(body)
  const code = typeof object['code'] === 'number' ? object['code'] : status
  const details = objectAt(object, 'details')
  const retryAfterMs = retryAfterOf(retryAfter, details)
  const causes = listAt(details, 'causes').map((cause) => textAt(asObject(cause), 'reason'))
  const reason = causes.includes('ResourceVersionTooLarge') ? 'ResourceVersionTooLarge' : textAt(object, 'reason')
  return new ApiError(code, textAt(object, 'message') || `HTTP status ${status}`, { reason, retryAfterMs })
}

/** A longer Retry-After is shortened to this. */
const RETRY_AFTER_MAX_MS = 5 * 60_000

/** RFC 9110 §10.2.3: seconds or a date. The API's Status may contain it as well. */
function retryAfterOf(header: string | undefined, details: JsonObject): number {
  const fromStatus = Number(details['retryAfterSeconds'] ?? 0) * 1000
  if (header === undefined) return bounded(fromStatus)
  const seconds = Number(header)
  return bounded(Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000)
}

const bounded = (ms: number): number => (ms > 0 ? Math.min(ms, RETRY_AFTER_MAX_MS) : 0)

/** A failure as it is logged. */
export interface ApiFailure {
  /** Failures of one kind are logged once, even if their messages differ. */
  readonly kind: 'forbidden' | 'unauthenticated' | 'throttled' | 'unreachable' | 'refused'
  readonly message: string
  /** What to do about it, in one or two sentences. */
  readonly hint: string
}

/** Describes a failure and what to do about it. */
export function describeFailure(error: unknown, action: ApiAction): ApiFailure {
  const { verb, resource } = action
  const failed = `cannot ${verb} ${resource} at the API server`
  if (!(error instanceof ApiError) || error.status === 0) {
    const hint = 'Interceptor keeps retrying; until then new pods have no names.'
    return { kind: 'unreachable', message: `${failed}: ${errorText(error)}`, hint }
  }
  if (error.isForbidden) return { kind: 'forbidden', ...forbidden(error, action) }
  if (error.isUnauthenticated) {
    const message = `the API server rejects the agent’s credentials (${verb} ${resource}: 401 ${error.message})`
    const hint =
      'The token or certificate has expired or was revoked. A service account’s token is read from its file again; ' +
      'check that the service account still exists.'
    return { kind: 'unauthenticated', message, hint }
  }
  const message = `${failed}: ${error.status} ${error.message}`
  const hint = 'Interceptor keeps retrying.'
  return { kind: error.status === 429 ? 'throttled' : 'refused', message, hint }
}

function forbidden(error: ApiError, { verb, resource, group }: ApiAction): { message: string; hint: string } {
  const user = /User "([^"]+)"/.exec(error.message)?.[1]
  const rule = `apiGroups: ["${group}"], resources: ["${resource}"], verbs: ["${verb}"]`
  return {
    message: `the API server does not allow ${user ?? 'this agent'} to ${verb} ${resource} (403)`,
    hint: `Add this rule to its ClusterRole: ${rule}.`,
  }
}
