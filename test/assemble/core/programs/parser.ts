/**
 * The message parser as a separate program for tests, which provide the functions of exchanges.ts. Streams are
 * addresses.
 */

import { expectChunked } from '../../../../src/assemble/core/http1/chunked'
import {
  CONNECTION_BYTES,
  MessageStream,
  newConnection,
  PROGRESS_BYTES,
  requestsOf,
  responsesOf,
} from '../../../../src/assemble/core/http1/connection'
import { expectToClose } from '../../../../src/assemble/core/http1/exchanges'
import { parseData, parseEnd, parseGap } from '../../../../src/assemble/core/http1/message-parser'
import { expectCounted } from '../../../../src/assemble/core/http1/message-start'
import { seqAt } from '../../../../src/assemble/core/http1/position'
import { openPool, usedBytes } from '../../../../src/assemble/core/memory/cells'
import { Region } from '../../../../src/assemble/core/memory/regions'
import { openSlab, Slab } from '../../../../src/assemble/core/memory/slab'
import { Settings } from '../../../../src/assemble/core/settings'
import { Flow } from '../../../../src/assemble/core/tcp/flow'

export { expectChunked, expectToClose, parseData, parseEnd, parseGap, seqAt, usedBytes }

/**
 * Resets all state: at most one connection, and no filter.
 *
 * @param tables room for two slabs, the records of a connection, and what is known of the pool's pages; @param heads room for a head
 */
export function open(tables: usize, heads: usize, headBytes: i32, pool: usize, pages: u32): void {
  const connections = changetype<Slab>(tables)
  const progress = changetype<Slab>(tables + offsetof<Slab>())
  const records = tables + 2 * offsetof<Slab>()
  const recordsEnd = records + CONNECTION_BYTES
  const end = recordsEnd + 2 * PROGRESS_BYTES
  openSlab(connections, records, recordsEnd, CONNECTION_BYTES)
  openSlab(progress, recordsEnd, end, PROGRESS_BYTES)
  Region.connections = connections
  Region.progress = progress
  Region.contentType = end
  Region.roomy = end + CONTENT_TYPE_BYTES
  Region.pages = Region.roomy + ROOMY_BYTES
  Region.heads = heads
  Region.pool = pool
  Settings.messageBytes = headBytes
  Settings.everything = true
  openPool(pages)
}

/** A stream of messages. */
export function makeStream(isResponse: bool): MessageStream {
  const connection = newConnection(changetype<Flow>(0))
  return isResponse ? responsesOf(connection) : requestsOf(connection)
}

export function stateOf(stream: MessageStream): i32 {
  return stream.state
}

/** The body of the message whose head is being reported has this length. */
export function expectBody(stream: MessageStream, length: f64): void {
  expectCounted(stream, <i64>length)
}

const CONTENT_TYPE_BYTES: usize = 80
const ROOMY_BYTES: usize = 32
