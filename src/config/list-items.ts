/**
 * The accepted forms of list items (`filter.*`, names of interfaces and namespaces, brokers). An item that is well-formed
 * and can match nothing is rejected as well: it would be a rule that silently does nothing.
 */

/** How the items of one list are validated. */
export interface ListItem {
  /** Matches every accepted text. */
  readonly pattern: RegExp
  /** Completes "VALUE …" and names the accepted form. */
  readonly error: string
  /** Normalises an accepted text; the result must match `pattern` too. */
  readonly clean?: (text: string) => string
  /** @returns why a text that matches `pattern` can have no effect, as `error` does; null if it can */
  readonly futile?: (text: string) => string | null
}

const MEDIA_TYPE_ERROR =
  'must be a media type without parameters, such as application/json or, with the wildcards * and ?, application/*+json'

/** Media types (RFC 6838 §4.2: names begin with a letter or a digit), with wildcards. */
export const MEDIA_TYPE_ITEM: ListItem = {
  pattern: /^[A-Za-z0-9*?][A-Za-z0-9*?._+-]*\/[A-Za-z0-9*?][A-Za-z0-9*?._+-]*$/,
  error: MEDIA_TYPE_ERROR,
  clean: (text) => text.toLowerCase(),
}

const PATH_ERROR =
  'must be a path that begins with / or **, such as /healthz or, with the wildcards *, ? and **, /actuator/**'

/**
 * Paths of requests, with wildcards. Characters that RFC 3986 §3.3 excludes from a path are rejected: those come from
 * regular expressions and URI templates.
 */
export const PATH_ITEM: ListItem = {
  pattern: /^(\/|\*\*)[^#\s"<>[\\\]^`{|}]*$/,
  error: PATH_ERROR,
  futile(text) {
    if (/\?[^/]*=/.test(text))
      return 'can match no path: ? matches one character, and the query of a request is ignored'
    if (/\/:\w/.test(text)) return 'is a route with parameters: write * in place of each, as in /users/*'
    const isRegularExpression = /\/\.[*+](\/|$)/.test(text) || text.endsWith('$')
    return isRegularExpression ? `is a regular expression: it ${PATH_ERROR}` : null
  },
}

/** Status codes and classes of them. */
export const STATUS_ITEM: ListItem = {
  // Servers send statuses above 599 too, which belong to no class (RFC 9110 §15).
  pattern: /^([1-9]\d\d|[1-5][xX]{2})$/,
  error: 'must be a status such as 301, or a class of statuses from 1xx to 5xx',
  clean: (text) => text.toLowerCase(),
  futile: (text) =>
    /^1\d\d$/.test(text) && text !== '101'
      ? 'can match no pair: a pair has the final response, and of the 1xx statuses only 101 is final'
      : null,
}

/** Header field names. RFC 9110 §5.6.2 allows more characters, which no field in use has. */
export const HEADER_NAME_ITEM: ListItem = {
  pattern: /^[A-Za-z0-9._-]+$/,
  error: 'must be a header name without wildcards, such as X-Debug',
}

const USER_AGENT_ERROR = 'must be the beginning of a User-Agent, such as kube-probe; it cannot have wildcards'

/** Beginnings of User-Agent values. */
export const USER_AGENT_PREFIX_ITEM: ListItem = {
  pattern: /^[^\s\p{Cc}][^\p{Cc}]*$/u,
  error: USER_AGENT_ERROR,
  futile: (text) => (/[*^]/.test(text) ? USER_AGENT_ERROR : null),
}

/** Kubernetes namespaces (RFC 1123 labels) as names or globs. */
export const NAMESPACE_ITEM: ListItem = {
  pattern: /^[a-z0-9*?]([a-z0-9*?-]*[a-z0-9*?])?$/,
  error: 'must be a namespace such as shop or, with the wildcards * and ?, team-*',
  futile: (text) =>
    text.replaceAll('*', '').length > 63 ? 'can match no namespace: their names have at most 63 characters' : null,
}

/** Methods (RFC 9110 §9.1). Standard ones are in capitals; others in lower case are not in use. */
export const METHOD_ITEM: ListItem = {
  pattern: /^[A-Za-z][A-Za-z_-]*$/,
  error: 'must be a method, such as POST',
  clean: (text) => text.toUpperCase(),
}

/** Hosts without a port, with wildcards. */
export const HOST_ITEM: ListItem = {
  pattern: /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+)$/,
  error: 'must be a host without scheme and port, such as api.shop or, with the wildcards * and ?, *.shop',
}

/** Names of pods (RFC 1123 subdomains) or globs. */
export const POD_ITEM: ListItem = {
  pattern: /^[a-z0-9*?]([a-z0-9.*?-]*[a-z0-9*?])?$/,
  error: 'must be the name of a pod, such as api-7d4b9-x2x or, with the wildcards * and ?, api-*',
}

/** Names of workloads or globs, with or without the kind. */
export const WORKLOAD_ITEM: ListItem = {
  pattern: /^([A-Za-z*?]+\/)?[a-z0-9*?]([a-z0-9.*?-]*[a-z0-9*?])?$/,
  error: 'must be the name of a workload, such as api or Deployment/api, or a glob of it',
}

/** Names of network interfaces. Linux accepts wildcards as characters of a name, but no interface in use has one. */
export const INTERFACE_ITEM: ListItem = {
  pattern: /^[^\s/:@*?[\]]+$/,
  error: 'must be the name of an interface, such as eth0, or any for all of them; it cannot have wildcards',
}

/** `host:port`. A host alone gets Kafka's default port. */
export const BROKER_ITEM: ListItem = {
  pattern: /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+)(:\d{1,5})?$/,
  error: 'must be host:port, such as kafka-0.kafka:9092 or [fd00::1]:9092',
  clean: (text) => (/:\d+$/.test(text) ? text : `${text}:9092`),
  futile: (text) =>
    isPort(/:(\d+)$/.exec(text)?.[1] ?? '9092') ? null : 'must be host:port with a port from 1 to 65535',
}

const isPort = (digits: string): boolean => Number(digits) >= 1 && Number(digits) <= 65_535

/** A program or one of its arguments. */
export const ARGUMENT_ITEM: ListItem = { pattern: /./, error: 'must not be empty' }

/** RFC 7628 §3.1, kvpair. */
export const SASL_EXTENSION_ITEM: ListItem = {
  pattern: /^[A-Za-z]+=[\x20-\x7e\r\n\t]*$/,
  error: 'must be name=value, such as logicalCluster=lkc-1',
}
