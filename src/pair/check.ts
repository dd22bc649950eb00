/**
 * Checks that a decoded value is a pair of schema version 1. Other programs may write to the topic, so `tail` checks
 * every field. Unknown keys are accepted: a newer agent may add some.
 */
import type { Pair } from './pair.ts'

/** An unchecked object from MessagePack or JSON. */
type Fields = Record<string, unknown>

/** Accepts a map only: no list, no bytes, nothing that a MessagePack extension decodes to. */
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

const isString = (value: unknown): value is string => typeof value === 'string'

const isStringOrNull = (value: unknown): boolean => value === null || isString(value)

const isHeader = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && isString(value[0]) && isString(value[1])

const isHeaders = (value: unknown): boolean => Array.isArray(value) && value.every(isHeader)

function isPod(pod: unknown): boolean {
  if (pod === null) return true
  if (!isObject(pod)) return false
  const { workload, labels } = pod
  return (
    isStringOrNull(pod['name']) &&
    isStringOrNull(pod['namespace']) &&
    isString(pod['uid']) &&
    isString(pod['container']) &&
    (workload === null || (isObject(workload) && isString(workload['kind']) && isString(workload['name']))) &&
    isObject(labels) &&
    Object.values(labels).every(isString)
  )
}

const isSocketAddress = (end: unknown): end is Fields =>
  isObject(end) && isString(end['address']) && isCount(end['port'])

const isEndpoint = (end: unknown): boolean => isSocketAddress(end) && isPod(end['pod'])

const isMessage = (message: unknown): message is Fields =>
  isObject(message) &&
  isString(message['httpVersion']) &&
  isHeaders(message['headers']) &&
  message['body'] instanceof Uint8Array &&
  message['bodyEncoding'] === 'bin' &&
  isCount(message['bodySize']) &&
  typeof message['decoded'] === 'boolean' &&
  isCount(message['wireSize'])

const isRequest = (message: unknown): boolean =>
  isMessage(message) && isString(message['method']) && isString(message['target'])

const isResponse = (message: unknown): boolean =>
  isMessage(message) && isCount(message['status']) && isString(message['reason'])

const isProxyProtocol = (ends: unknown): boolean =>
  isObject(ends) && isSocketAddress(ends['source']) && isSocketAddress(ends['destination'])

const isCapture = (capture: unknown): boolean =>
  isObject(capture) &&
  isString(capture['node']) &&
  isString(capture['interface']) &&
  isString(capture['vantage']) &&
  (capture['mesh'] === null || isString(capture['mesh'])) &&
  (capture['forwarded'] === undefined || isHeaders(capture['forwarded'])) &&
  (capture['proxyProtocol'] === undefined || isProxyProtocol(capture['proxyProtocol']))

const FIELD_CHECKS: readonly (readonly [name: keyof Pair, check: (value: unknown) => boolean])[] = [
  ['id', isString],
  ['requestStartMicros', isCount],
  ['requestEndMicros', isCount],
  ['responseStartMicros', isCount],
  ['responseEndMicros', isCount],
  ['client', isEndpoint],
  ['server', isEndpoint],
  ['request', isRequest],
  ['response', isResponse],
  ['capture', isCapture],
  ['flags', (flags) => Array.isArray(flags) && flags.every(isString)],
]

/**
 * Checks a decoded pair.
 *
 * @param value  the decoded MessagePack form, with bodies as bytes
 * @returns the value itself, or an Error that names the first fault
 */
export function checkPair(value: unknown): Pair | Error {
  if (!isObject(value)) return new Error('not a pair: not a map')
  if (value['v'] !== 1) {
    return new Error(
      isCount(value['v'])
        ? `a pair of schema version ${value['v']}; this program reads version 1`
        : 'not a pair: no version',
    )
  }
  for (const [name, check] of FIELD_CHECKS) {
    if (!check(value[name])) return new Error(`not a pair: "${name}" is missing or has the wrong type`)
  }
  return value as unknown as Pair
}
