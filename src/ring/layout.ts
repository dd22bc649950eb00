/**
 * Memory layout of a ring and of the records in it. Every offset used anywhere is named here.
 *
 * A ring is one SharedArrayBuffer: a header of four cache-line pairs, then a power-of-two data area.
 *
 *     byte 0      TAIL      next byte the producer writes    (producer stores, consumer loads)
 *     byte 128    HEAD      next byte the consumer reads     (consumer stores, producer loads)
 *     byte 256    CLOSED    1 once the producer will write no more
 *     byte 384    data      capacity bytes
 *
 * TAIL and HEAD are Int32 positions in bytes that run free modulo 2^32; `(tail - head) | 0` is what is in the ring.
 * Each has 128 bytes to itself: two cache lines, because adjacent lines are prefetched in pairs.
 *
 * A record starts at a multiple of 8:
 *
 *     0        4        8                16       20       24
 *     +--------+--------+----------------+--------+--------+------------ … -+
 *     | length |  tag   |     micros     |  word0 |  word1 | words, bytes   |
 *     |  i32   |  u32   |      f64       |  i32   |  i32   |                |
 *     +--------+--------+----------------+--------+--------+------------ … -+
 *
 * `length` is the whole record rounded up to 8; a negative length is padding up to the wrap. All fields are in the
 * host's byte order: a ring never leaves its process.
 */
export const TAIL_WORD = 0
export const HEAD_WORD = 32
export const CLOSED_WORD = 64
export const RING_HEADER_BYTES = 384

/** Byte offsets of a record's fields. */
export const TAG_AT = 4
export const MICROS_AT = 8
export const WORD0_AT = 16
export const WORD1_AT = 20

/** Records never exceed this share of a ring, so that a waiting producer always finds room in the end. */
export const MAX_RECORD_SHARE = 1 / 2

/**
 * Frame ring records (capture worker → assembler). `tag` is one of these kinds.
 *
 *     FRAME            word0 flow hash · word1 interface id
 *                      24: u16 ipOffset · u16 tcpOffset   28: u32 endOffset
 *                      32…39: the frame's bytes, starting where source and record agree modulo 8
 *     INTERFACE        word0 byte length of a UTF-8 JSON `InterfaceInfo` at 24 · word1 interface id
 *     INTERFACE_GONE   word1 interface id: its flows end here
 *     TICK             micros only: the packet clock went on without a packet
 *
 * ipOffset, tcpOffset and endOffset count from the record's start. endOffset is the end of the IP packet, so link-layer
 * padding is already gone. The bytes are the frame as captured; a packet reassembled from IP fragments carries a
 * bare IP header, without options or extension headers.
 */
export const FRAME = 0
export const INTERFACE = 1
export const INTERFACE_GONE = 2
export const TICK = 3
export const FRAME_FIELDS_BYTES = 32
/** Byte offsets of a frame record's own fields, and of an INTERFACE record's text. */
export const IP_OFFSET_AT = 24
export const TCP_OFFSET_AT = 26
export const END_OFFSET_AT = 28
export const PAYLOAD_AT = 24
/** The largest packet a frame record takes: BIG TCP's 512 KiB and its headers. */
export const MAX_FRAME_BYTES = 512 * 1024 + 512

/**
 * Pair ring records (assembler → shipper). `tag` is the connection's hash (Kafka's partition key),
 * `micros` the request's first byte.
 *
 *     word0 byte length of the pair · word1 byte offset of the pair from the record's start
 *     24: u32 server hash · 28: reserved, 0
 *     32: the pair, MessagePack
 */
export const PAIR_FIELDS_BYTES = 32

/** Rounds a byte count up to the record grid. */
export const align8 = (bytes: number): number => (bytes + 7) & ~7
