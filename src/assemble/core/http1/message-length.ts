/** How a message ends, by its head, which was scanned last, and the method that it answers (RFC 9112 §6.3). */
import {
  CODING,
  CODING_CHUNKED,
  CODING_NONE,
  CONTENT_LENGTH,
  LENGTH_ABSENT,
  LENGTH_INVALID,
  METHOD_CONNECT,
  METHOD_HEAD,
  RESULTS_AT,
  STATUS,
} from '../head/layout'
import { closesConnection } from './head'

/** Instead of a number of bytes: the body is chunked. */
export const BODY_CHUNKED: i64 = -1
/** The body extends to the end of the connection. */
export const BODY_TO_CLOSE: i64 = -2
/** Recipients disagree on where the message ends. */
export const BODY_UNKNOWABLE: i64 = -3

function coding(): i32 {
  return load<i32>(RESULTS_AT + CODING)
}

function contentLength(): f64 {
  return load<f64>(RESULTS_AT + CONTENT_LENGTH)
}

/** Status of the response whose head was scanned last. */
export function statusOfHead(): i32 {
  return load<i32>(RESULTS_AT + STATUS)
}

/** @returns bytes of a request's body, BODY_CHUNKED or BODY_UNKNOWABLE */
export function requestBody(): i64 {
  if (coding() === CODING_CHUNKED) return BODY_CHUNKED
  const length = contentLength()
  if (coding() !== CODING_NONE || length === LENGTH_INVALID) return BODY_UNKNOWABLE
  return length === LENGTH_ABSENT ? 0 : <i64>length
}

/**
 * @param method of the request, a METHOD_ value; METHOD_OTHER if it is not known
 * @returns bytes of a final response's body, BODY_CHUNKED, BODY_TO_CLOSE or BODY_UNKNOWABLE
 */
export function responseBody(method: i32): i64 {
  const status = statusOfHead()
  if (opensTunnel(method) || method === METHOD_HEAD || status === 204 || status === 304) return 0
  if (coding() === CODING_CHUNKED) return BODY_CHUNKED
  const length = contentLength()
  if (coding() !== CODING_NONE || length === LENGTH_ABSENT) return BODY_TO_CLOSE
  return length === LENGTH_INVALID ? BODY_UNKNOWABLE : <i64>length
}

/** Whether the connection carries another protocol after a response's head: 101, or success of a CONNECT. */
export function opensTunnel(method: i32): bool {
  const status = statusOfHead()
  return status === 101 || (method === METHOD_CONNECT && status < 300)
}

/** Whether the server closes the connection after a response: its head announces that, or its body ends with it. */
export function closesAfter(method: i32): bool {
  return closesConnection() || responseBody(method) === BODY_TO_CLOSE
}
