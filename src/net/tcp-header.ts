/** The TCP header (RFC 9293 §3.1): its length and flags. */

/** Offset of the flags byte. */
export const FLAGS_AT = 13
export const FLAG_FIN = 0x01
export const FLAG_SYN = 0x02
export const FLAG_RST = 0x04

/** A header without options. */
export const HEADER_BYTES = 20

/** Length of the header at `tcp` with its options, by its data offset. */
export const headerBytes = (view: DataView, tcp: number): number => (view.getUint8(tcp + 12) >>> 4) * 4
