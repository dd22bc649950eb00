/**
 * The golden captures in tshark: how many requests and responses it finds, and which it pairs. For known differences,
 * KNOWN lists the capture, the largest difference and the reason; everything else must agree.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { count } from '../../src/ledger/ledger.ts'
import { captureFile, expectedOf, type Run } from '../support/golden.ts'

/** How many more (or, below zero, fewer) messages than tshark the program may count. */
interface Known {
  requests?: number
  responses?: number
  /** tshark's pairs as `METHOD target status`. */
  pairs?: readonly string[]
  why: string
}

const HEAD_FRAMING = 'tshark reads what follows the head of a response to a pipelined HEAD as its body'
const LOWER_CASE = 'tshark shows no method for a lower-case one'

const KNOWN: Record<string, Known> = {
  aborts: { requests: 5, responses: 6, why: 'tshark shows a message once it is whole; these were cut off' },
  apache: { responses: 1, why: HEAD_FRAMING },
  'forward-proxy': { requests: 2, responses: 2, why: 'tshark does not read HTTP inside a tunnel of CONNECT' },
  go: { requests: 1, why: LOWER_CASE },
  'nginx-curl': { requests: 2, responses: 2, why: `${LOWER_CASE}, nor a request after empty lines; ${HEAD_FRAMING}` },
  'node-curl': { requests: 2, responses: 6, why: `${LOWER_CASE}; one request's body was refused; ${HEAD_FRAMING}` },
  'not-http': { requests: -2, why: 'tshark reads any line that begins with a method as a request' },
  'python-stdlib': { responses: 1, why: HEAD_FRAMING },
  urgent: {
    pairs: ['GET /echo?n=in-tarXget 200', 'GET /echo?n=secondYZ 200'],
    why: 'tshark leaves the urgent byte in the stream; a server without SO_OOBINLINE does not receive it there',
  },
}

const FIELDS = ['frame.number', 'http.request.method', 'http.request.uri', 'http.response.code', 'http.request_in']
const BETWEEN_FIELDS = '\u0002'
const WITHIN_FIELD = '\u0001'

/** One frame that ends messages: methods and targets of its requests, and codes and request frames of its responses. */
interface Row {
  frame: string
  methods: string[]
  targets: string[]
  codes: string[]
  requestFrames: string[]
}

function dissect(name: string): Row[] {
  const preferences = ['-o', 'tcp.reassemble_out_of_order:TRUE', '-o', 'http.tcp.port:1-65535']
  const separators = ['-E', 'occurrence=a', '-E', `aggregator=${WITHIN_FIELD}`, '-E', `separator=${BETWEEN_FIELDS}`]
  const fields = FIELDS.flatMap((field) => ['-e', field])
  const only = ['-Y', 'http.request or http.response', '-T', 'fields']
  const options = ['-2', '-r', captureFile(name), ...preferences, ...only, ...separators, ...fields]
  const out = execFileSync('tshark', options, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 26,
  })
  const lines = out.split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const cells = line.split(BETWEEN_FIELDS).map((cell) => cell.split(WITHIN_FIELD).filter((value) => value !== ''))
    const [[frame], methods, targets, codes, requestFrames] = cells
    return { frame, methods, targets, codes, requestFrames }
  })
}

/** tshark's pairs as `METHOD target status`, where one frame ends one request and one frame its one final response. */
function pairsOf(rows: readonly Row[]): string[] {
  const byFrame = new Map(rows.map((row) => [row.frame, row]))
  return rows.flatMap(({ codes, requestFrames }) => {
    const interim = codes[0]?.startsWith('1') && codes[0] !== '101'
    const request = byFrame.get(requestFrames[0] ?? '')
    if (interim || codes.length !== 1 || requestFrames.length !== 1 || request?.methods.length !== 1) return []
    return [`${request.methods[0]} ${request.targets[0]} ${codes[0]}`]
  })
}

const within = (difference: number, known = 0): boolean =>
  difference >= Math.min(0, known) && difference <= Math.max(0, known)

/** Compares the program's result for the golden capture `name` with tshark's. @throws AssertionError if they differ */
export function assertAgreesWithTshark(name: string, { ledger, pairs }: Run): void {
  const rows = dissect(name)
  const known = KNOWN[name]
  const requests = count(ledger, 'messages.requests') - rows.flatMap(({ methods }) => methods).length
  const answers = count(ledger, 'messages.responses') + count(ledger, 'messages.interim')
  const responses = answers - rows.flatMap(({ codes }) => codes).length
  assert.ok(within(requests, known?.requests), `${requests} requests more than tshark (${known?.why ?? ''})`)
  assert.ok(within(responses, known?.responses), `${responses} responses more than tshark (${known?.why ?? ''})`)
  const never = expectedOf(name).filter(({ expect }) => expect === 'never')
  const fine = new Set([
    ...[...pairs, ...never].map(({ method, target, status }) => `${method} ${target} ${status}`),
    ...(known?.pairs ?? []),
  ])
  assert.deepEqual(
    pairsOf(rows).filter((pair) => !fine.has(pair)),
    [],
  )
}
