/** What the host does for the program, rarely: names, vantages, preambles, and rules with wildcards. Imports of the module. */
import { Direction, Flow } from './tcp/flow'

/** Results of `hostJudge` and `hostJudgeHost`. */
export const KEEP: i32 = 0
export const LEAVE_OUT: i32 = 1
export const FORWARDED: i32 = 2

/** Sets the vantage of a connection whose client is known. @returns KEEP, LEAVE_OUT or FORWARDED */
export declare function hostJudge(flow: Flow): i32
/** Whether the end that sends on `direction` has a local address. */
export declare function hostIsLocal(flow: Flow, direction: Direction): bool
/** For a connection with `hostPending`: the value of its first request's Host field, which may be empty. @returns KEEP or LEAVE_OUT */
export declare function hostJudgeHost(at: usize, end: usize): i32
/** Sets an interface's `capture` maps, which are valid until the names change. */
export declare function hostMaps(interfaceId: i32): void
/** Sets `clientPod` and `serverPod`: addresses of their encoded bytes, behind their number, or 0. */
export declare function hostName(flow: Flow): void
/** A connection is not HTTP/1, or is left out. @param counter offset of its counter; @param at, end the bytes that show it; empty: none do */
export declare function hostOpaque(flow: Flow, counter: usize, at: usize, end: usize): void
/** Consumes the bytes of a preamble. @returns the address after them; 0 if what follows it cannot be parsed */
export declare function hostPreamble(flow: Flow, direction: Direction, at: usize, end: usize, seq: i32, ack: i32): usize
/** Whether a Content-Type value is one of the configured media types. */
export declare function hostContentType(at: usize, end: usize): bool
/** Whether a Host field's value is on the list. */
export declare function hostListsHost(at: usize, end: usize): bool
/** Whether the path of a request target matches a pattern with wildcards. Called only where there are such patterns. */
export declare function hostListsPath(at: usize, end: usize): bool
/** Whether the request scanned last is on the lists of `filter.include`. */
export declare function hostIncludes(flow: Flow, hostListed: bool): bool
/** Whether a status is on the list of `filter.include`. Called only where there are lists. */
export declare function hostListsStatus(status: i32): bool
/** Passes the records in the output on, and empties it (`rewindOutput`). */
export declare function hostPassPairs(): void
/** Whether the encoded pair is selected. */
export declare function hostSelects(at: usize, length: usize): bool
/**
 * Adds to a `capture` map the addresses that proxies in front of the connection have named.
 *
 * @param map, end the map, and the end of the header of the flags behind it
 * @param request address of the encoded request if it came from behind a mesh's proxy; 0: it did not
 * @returns the address after the map and the header
 */
export declare function hostForwarded(flow: Flow, map: usize, end: usize, request: usize): usize
/** Marks a connection unless it is marked. @param generation of the segment's record (MARK_AT in src/ring/layout.ts) */
export declare function hostMark(
  ip: usize,
  tcp: usize,
  interfaceId: i32,
  network: i32,
  hash: i32,
  generation: i32,
): void
/** Removes the mark of a connection whose payload is needed. */
export declare function hostErase(hash: i32): void
