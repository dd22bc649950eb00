/** What may precede HTTP on a connection: the head of the PROXY protocol, or the handshake with a SOCKS proxy. */

/** `Preamble.state`. Open: more bytes belong to it. */
export const PREAMBLE_OPEN = 0
/** It is complete: what follows is what the connection carries. */
export const PREAMBLE_DONE = 1
/** The bytes are no preamble: they already belong to what the connection carries. */
export const PREAMBLE_NONE = 2
/** What follows cannot be read: the preamble is malformed, was refused, or is of a form that is not supported. */
export const PREAMBLE_INVALID = 3

/** The tunnel through which a connection's HTTP was exchanged. CONNECT's number is the program's alone (core/tcp/flow.ts). */
export const TUNNEL_SOCKS = 1

/** A parser of one preamble. Accepts its bytes in pieces of any size. */
export interface Preamble {
  /** A PREAMBLE_ value. */
  readonly state: number
  /**
   * Consumes the bytes [at, end) of one side, as far as they belong to the preamble.
   *
   * @returns the address after the last byte consumed
   */
  data(bytes: Uint8Array, at: number, end: number, fromClient: boolean): number
  /** Bytes that `save` writes, while the state is open. */
  readonly savedBytes: number
  /** Writes what another parser of this kind needs to continue. */
  save(view: DataView, at: number): void
  /** Continues where the parser was that has saved. */
  load(view: DataView, at: number): void
}
