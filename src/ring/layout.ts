/**
 * Memory layout of a ring and of the records in it. Every offset used anywhere is named here.
 *
 * A ring is one SharedArrayBuffer: a header of four cache-line pairs, then a power-of-two data area.
 *
 *     byte 0      TAIL      next byte the producer writes    (producer stores, consumer loads)
 *     byte 128    HEAD      end of what the consumer released (consumer stores, producer loads)
 *     byte 132    TAKEN     next byte the consumer reads, HEAD or behind it (for the next consumer)
 *     byte 256    CLOSED    1 once the producer will write no more
 *     byte 384    COMMITTED end of the last whole record, published or not (for the next producer)
 *     byte 388    PADDING   bytes of the latest padding, and where it ends, until the consumer has released it
 *     byte 392    PADDING_END
 *     byte 512    data      capacity bytes
 *
 * TAIL, HEAD and COMMITTED are Int32 positions in bytes that wrap modulo 2^32; `(tail - head) | 0` bytes are in the ring.
 * Each has 128 bytes to itself: two cache lines, because adjacent lines are prefetched in pairs.
 *
 * A record starts at a multiple of 8 and begins with the same fields everywhere:
 *
 *     0        4        8                16                          24
 *     +--------+--------+----------------+---------------------------+---------- … -+
 *     | LENGTH |  TAG   |     MICROS     | two words of the record's | more words,  |
 *     |  i32   |  u32   |      f64       | kind                      | bytes        |
 *     +--------+--------+----------------+---------------------------+---------- … -+
 *
 * LENGTH is the whole record rounded up to 8; a negative length is padding up to the wrap. All fields are in the
 * host's byte order, because a ring never leaves its process.
 */
export const TAIL_WORD = 0
export const HEAD_WORD = 32
export const TAKEN_WORD = 33
export const CLOSED_WORD = 64
export const COMMITTED_WORD = 96
export const PADDING_WORD = 97
export const PADDING_END_WORD = 98
export const RING_HEADER_BYTES = 512

/** Byte offsets of the fields that every record has. */
export const LENGTH_AT = 0
export const TAG_AT = 4
export const MICROS_AT = 8

/** Records never exceed this share of a ring, so that a producer that waits always finds room in the end. */
export const MAX_RECORD_SHARE = 1 / 2

/**
 * Frame ring records (capture worker → assembler). TAG is one of these kinds.
 *
 *     FRAME            16: i32 flow hash              20: i32 interface id
 *                      24: u16 IP header   26: u16 TCP header   28: u32 end of the IP packet
 *                      32: i32 virtual network, 0 for none (capture/wire/network-id.ts)
 *                      36: i32 generation of the connection's line in OpaqueMarks; negative: minus the bytes of payload left out
 *                      40…47: the frame's bytes, starting where source and record agree modulo 8
 *     INTERFACE        16: i32 byte length of the text   20: i32 interface id
 *                      24: the text, a UTF-8 JSON `InterfaceInfo`
 *     INTERFACE_GONE   20: i32 interface id; its flows end here
 *     TICK             MICROS only: the packet clock advanced without a packet
 *     CLOCK_STEP       MICROS only: by how much the system clock was set. Frames behind it may have been captured before the step
 *     PLACED           16: i32 secret of the flow hash, which the assembler computes   20: i32 interface id
 *                      24: u32 IP header   28: u32 TCP header   32: u32 end of the IP packet
 *                      36: i32 virtual network
 *
 * PLACED is a frame that is not copied, and is in no ring: its record and its bytes are in the assembler's memory
 * (frame-place.ts), and the three words at 24 are addresses there.
 *
 * The offsets of FRAME at 24, 26 and 28 count from the record's start. The end is that of the IP packet, so link-layer
 * padding is excluded. The bytes are the frame as captured; a packet reassembled from IP fragments carries a bare IP
 * header, without options or extension headers. Where payload is left out, the record ends with the TCP header.
 */
export const FRAME = 0
export const INTERFACE = 1
export const INTERFACE_GONE = 2
export const TICK = 3
export const CLOCK_STEP = 4
export const PLACED = 5
export const FLOW_HASH_AT = 16
export const TEXT_LENGTH_AT = 16
export const INTERFACE_ID_AT = 20
export const TEXT_AT = 24
export const IP_OFFSET_AT = 24
export const TCP_OFFSET_AT = 26
export const END_OFFSET_AT = 28
export const NETWORK_AT = 32
export const MARK_AT = 36
export const FRAME_FIELDS_BYTES = 40
export const PLACED_IP_AT = 24
export const PLACED_TCP_AT = 28
export const PLACED_END_AT = 32
export const PLACED_NETWORK_AT = 36
export const PLACED_BYTES = 40
/** The largest packet that a frame record holds: BIG TCP's 512 KiB and its headers. */
export const MAX_FRAME_BYTES = 512 * 1024 + 512

/**
 * Pair ring records (assembler → shipper). MICROS is the time of the request's first byte.
 *
 *     4: u32 hash of the connection, Kafka's partition key; in place of TAG
 *     16: i32 byte length of the pair   20: i32 byte offset of the pair from the record's start
 *     24: u32 hash of the server's address
 *     28: i32 arrival time, which the shipper writes in its own copy (ship/pair-queue.ts); 0 in the ring, and undefined without a pair
 *     32: the pair, MessagePack; left out where the output only counts pairs
 */
export const CONNECTION_AT = 4
export const PAIR_LENGTH_AT = 16
export const PAIR_START_AT = 20
export const SERVER_AT = 24
export const ARRIVAL_AT = 28
export const PAIR_FIELDS_BYTES = 32

/** Rounds a byte count up to the record grid. */
export const align8 = (bytes: number): number => (bytes + 7) & ~7
