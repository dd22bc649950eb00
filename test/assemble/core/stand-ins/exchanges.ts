/** Functions that the message parser calls for each message, as imports of the program: a test records the calls. */
import { Connection, MessageStream } from '../../../../src/assemble/core/http1/connection'
import { TO_CLOSE } from '../../../../src/assemble/core/http1/stream-states'

export declare function messageBody(stream: MessageStream, at: usize, end: usize): void
export declare function completeMessage(stream: MessageStream, seq: i32): void
export declare function damageMessage(stream: MessageStream, reason: i8): void
export declare function cutMessageShort(stream: MessageStream, seq: i32, reason: i8): void
export declare function losePlace(stream: MessageStream, reason: i8): void
export declare function recognise(connection: Connection): void
export declare function requestBegins(stream: MessageStream): void
export declare function suspectBody(stream: MessageStream): void
export declare function contradicted(stream: MessageStream): void
export declare function contradicts(stream: MessageStream, seq: i32): bool
export declare function isAnswered(stream: MessageStream): bool

export function expectToClose(stream: MessageStream): void {
  stream.state = TO_CLOSE
}

export function skipped(_stream: MessageStream): void {}
