/** How a message ends, by its head and the method that it answers (RFC 9112 §6.3). */
import {
  CODING_CHUNKED,
  CODING_NONE,
  LENGTH_ABSENT,
  LENGTH_INVALID,
  METHOD_CONNECT,
  METHOD_HEAD,
} from '../head-scanner/layout.ts'
import type { MessageHead } from './message-head.ts'

/** Instead of a number of bytes: the body is chunked. */
export const BODY_CHUNKED = -1
/** The body extends to the end of the connection. */
export const BODY_TO_CLOSE = -2
/** Recipients disagree on where the message ends. */
export const BODY_UNKNOWABLE = -3

/** The parts of a head that decide its message's length. */
export type Framing = Pick<MessageHead, 'coding' | 'contentLength' | 'status'>

/** @returns bytes of a request's body, BODY_CHUNKED or BODY_UNKNOWABLE */
export function requestBody(head: Framing): number {
  if (head.coding === CODING_CHUNKED) return BODY_CHUNKED
  if (head.coding !== CODING_NONE || head.contentLength === LENGTH_INVALID) return BODY_UNKNOWABLE
  return head.contentLength === LENGTH_ABSENT ? 0 : head.contentLength
}

/**
 * @param method of the request, a METHOD_ value; METHOD_OTHER if it is not known
 * @returns bytes of a final response's body, BODY_CHUNKED, BODY_TO_CLOSE or BODY_UNKNOWABLE
 */
export function responseBody(head: Framing, method: number): number {
  const { status, coding, contentLength } = head
  if (opensTunnel(head, method) || method === METHOD_HEAD || status === 204 || status === 304) return 0
  if (coding === CODING_CHUNKED) return BODY_CHUNKED
  if (coding !== CODING_NONE || contentLength === LENGTH_ABSENT) return BODY_TO_CLOSE
  return contentLength === LENGTH_INVALID ? BODY_UNKNOWABLE : contentLength
}

/** Whether the connection carries another protocol after a response's head: 101, or success of a CONNECT. */
export const opensTunnel = ({ status }: Framing, method: number): boolean =>
  status === 101 || (method === METHOD_CONNECT && status < 300)

/** Whether the server closes the connection after a response: its head announces that, or its body ends with it. */
export const closesAfter = (head: Framing & Pick<MessageHead, 'closesConnection'>, method: number): boolean =>
  head.closesConnection() || responseBody(head, method) === BODY_TO_CLOSE
