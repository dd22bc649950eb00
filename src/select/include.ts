/**
 * The lists of `filter.include`: a pair is kept only if it is on every list that is not empty. One implementation for both
 * places that need it: assemblers evaluate the parts as soon as a head decides them, on the bytes of the wire and without
 * allocating; `tail` and `top` evaluate whole pairs.
 */
import { Glob } from '../config/glob.ts'
import { headerValue, type Pair } from '../pair/pair.ts'
import { type PodRule, podRule } from './pod-rule.ts'
import { pathEnd, pathStart } from './request-path.ts'

/** The section `filter.include` of the configuration. */
export interface IncludeConfig {
  methods: readonly string[]
  /** Values of the Host field without the port, with wildcards. */
  hosts: readonly string[]
  /** Paths, with wildcards (`/api/**`). */
  paths: readonly string[]
  /** Codes (`503`) and classes (`5xx`). */
  statuses: readonly string[]
  namespaces: readonly string[]
  /** `api` or `Deployment/api`, with wildcards. */
  workloads: readonly string[]
  pods: readonly string[]
  /** Milliseconds from the request's first byte to the response's last; 0: any. */
  minLatency: number
}

const COLON = 58
const BRACKET = 93

export class Include {
  /** Whether a rule is about the request: its method, path or Host field. */
  hasRequestRules = false
  hasHosts = false
  /** Whether a pod at one of the ends decides. */
  hasPods = false
  #methods: readonly Uint8Array[] = []
  #hosts: readonly Glob[] = []
  #paths: readonly Glob[] = []
  #statuses: Uint8Array | null = null
  #pods: PodRule | null = null
  #minLatencyMicros = 0

  constructor(config: IncludeConfig) {
    this.configure(config)
  }

  /** Replaces the lists; allowed at any time between two heads. */
  configure(config: IncludeConfig): void {
    this.#methods = config.methods.map((method) => new TextEncoder().encode(method))
    this.#hosts = config.hosts.map((pattern) => new Glob(pattern, { ignoreCase: true }))
    this.#paths = config.paths.map((path) => new Glob(withoutTrailingSlash(path), { separator: '/' }))
    this.#statuses = config.statuses.length === 0 ? null : statusTable(config.statuses)
    this.#pods = podRule(config)
    this.#minLatencyMicros = config.minLatency * 1000
    this.hasHosts = this.#hosts.length > 0
    this.hasPods = this.#pods !== null
    this.hasRequestRules = this.hasHosts || this.#methods.length > 0 || this.#paths.length > 0
  }

  /** Whether every pair is on the lists. */
  get isEmpty(): boolean {
    return !this.hasRequestRules && !this.hasPods && this.#statuses === null && this.#minLatencyMicros === 0
  }

  /** Whether the method [at, end) is listed, or all are. */
  method(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.#methods.length === 0) return true
    for (const method of this.#methods) if (method.length === end - at && equal(bytes, at, method)) return true
    return false
  }

  /** Whether the path of a request target [at, end), in any of its forms, is listed, or all are. */
  target(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.#paths.length === 0) return true
    const start = pathStart(bytes, at, end)
    const stop = pathEnd(bytes, start, end)
    for (const path of this.#paths) if (path.matches(bytes, start, stop)) return true
    return false
  }

  /** Whether the value [at, end) of a Host field is listed. Its port does not count. */
  host(bytes: Uint8Array, at: number, end: number): boolean {
    let stop = end
    for (let i = end - 1; i >= at && bytes[i] !== BRACKET; i--) {
      if (bytes[i] !== COLON) continue
      stop = i
      break
    }
    for (const host of this.#hosts) if (host.matches(bytes, at, stop)) return true
    return false
  }

  /** Whether a status is listed, or all are. */
  status(status: number): boolean {
    return this.#statuses === null || this.#statuses[status] === 1
  }

  /** Whether one of the ends is a listed pod, or all pairs are. null: the end is no known pod. */
  pods(...ends: Parameters<PodRule>): boolean {
    return this.#pods === null || this.#pods(...ends)
  }

  /** Whether an exchange took long enough. @param micros from the request's first byte to the response's last */
  latency(micros: number): boolean {
    // Reordered captures may show a response before its request.
    return this.#minLatencyMicros === 0 || micros >= this.#minLatencyMicros
  }

  /** Whether a whole pair is on every list. */
  pair(pair: Pair): boolean {
    const { request, response, client, server } = pair
    if (!this.status(response.status)) return false
    if (!this.latency(pair.responseEndMicros - pair.requestStartMicros)) return false
    return (!this.hasRequestRules || this.#request(request)) && this.pods(client.pod, server.pod)
  }

  #request(request: Pair['request']): boolean {
    const method = Buffer.from(request.method)
    const target = Buffer.from(request.target)
    if (!this.method(method, 0, method.length) || !this.target(target, 0, target.length)) return false
    if (!this.hasHosts) return true
    const host = Buffer.from(headerValue(request, 'host') ?? '')
    return this.host(host, 0, host.length)
  }
}

function statusTable(statuses: readonly string[]): Uint8Array {
  const table = new Uint8Array(1000)
  for (const status of statuses) {
    const first = Number(status[0]) * 100
    if (/xx$/i.test(status)) table.fill(1, first, first + 100)
    else table[Number(status)] = 1
  }
  return table
}

function equal(bytes: Uint8Array, at: number, other: Uint8Array): boolean {
  for (let i = 0; i < other.length; i++) if (bytes[at + i] !== other[i]) return false
  return true
}

const withoutTrailingSlash = (path: string): string => (path.length > 1 ? path.replace(/\/$/, '') : path)
