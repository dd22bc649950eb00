/** The function that the message parser calls for each head, as an import of the program: a test records the calls. */
import { MessageStream, progressOf } from '../../../../src/assemble/core/http1/connection'
import { COUNTED } from '../../../../src/assemble/core/http1/stream-states'

export declare function messageHead(
  stream: MessageStream,
  start: usize,
  headEnd: usize,
  bodyStart: usize,
  end: usize,
): usize

export function expectCounted(stream: MessageStream, length: i64): void {
  stream.state = COUNTED
  progressOf(stream).remaining = length
}
