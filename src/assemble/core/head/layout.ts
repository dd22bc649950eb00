/**
 * Memory layout shared by the head scanner (this folder) and its callers, in both languages. Addresses and
 * offsets are in bytes; numbers are little-endian, and 32 bits wide unless noted.
 */

/** Constant parts of pairs, which the host stores. The compiler puts the program's own constants below, from 1024 on. */
export const TEMPLATES_AT = 2048

/** Results of a scan and of a digest. */
export const RESULTS_AT = 4096
export const END = 0
export const START_LINE_END = 4
export const METHOD = 8
export const FIRST_START = 12
export const FIRST_END = 16
export const SECOND_START = 20
export const SECOND_END = 24
/** Two bytes, ASCII digits. */
export const MAJOR_VERSION = 28
export const MINOR_VERSION = 29
export const STATUS = 32
export const FIELD_COUNT = 36
/** A float64. */
export const CONTENT_LENGTH = 40
export const CODING = 48
export const ANOMALIES = 52
export const DIGEST_1 = 56
export const DIGEST_2 = 60
export const NON_ASCII = 64
export const RULE_FIELD_COUNT = 68
export const RESULTS_BYTES = 128

/** The fields of a head: start and end of its name, start and end of its value, 16 bytes each. */
export const FIELDS_AT = RESULTS_AT + RESULTS_BYTES
/** Most field lines of one head: 1 MiB of the shortest possible fields. */
export const MAX_FIELDS = 262_144
export const FIELD_BYTES = 16
/** Fields that the filter may depend on: offsets from FIELDS_AT, in words. */
export const RULE_FIELDS_AT = FIELDS_AT + MAX_FIELDS * FIELD_BYTES
/** The first address behind the scanner's memory. */
export const SCANNER_END = RULE_FIELDS_AT + MAX_FIELDS * 4
/** Longer names share this length's bit. */
export const LONGEST_LENGTH = 31

/**
 * Table of the constant parts of an encoded message. Each entry has three words: address, length, and the offset of the
 * value to patch in (the status, or the version).
 */
export const PART_METHOD = 0
export const PART_TARGET = 12
export const PART_STATUS = 24
export const PART_VERSION = 36
export const PART_BODY = 48
export const PARTS_BYTES = 60

/** Results of a scan. */
export const HEAD_COMPLETE = 0
/** The bytes so far may be the beginning of a head. */
export const HEAD_INCOMPLETE = 1
export const HEAD_INVALID = 2
/** More than MAX_FIELDS lines. */
export const HEAD_OVERSIZE = 3

/** Values of METHOD: those that decide how a response ends, and all others. */
export const METHOD_OTHER = 0
export const METHOD_HEAD = 1
export const METHOD_CONNECT = 2

/** No Content-Length; Content-Length fields that contradict each other or are not a number. */
export const LENGTH_ABSENT = -1
export const LENGTH_INVALID = -2

/** Values of CODING, by all Transfer-Encoding fields. */
export const CODING_NONE = 0
/** `chunked` is the final transfer coding. */
export const CODING_CHUNKED = 1
/** Transfer codings that do not end in `chunked`. */
export const CODING_OTHER = 2

/** Anomalies of a head, as bits. */
export const ANOMALY_FOLDED = 1
export const ANOMALY_MALFORMED_FIELD = 2
export const ANOMALY_LENGTH_IGNORED = 4
/** Not of a head: the connection ended within the response's body, or the input did. */
export const ANOMALY_INCOMPLETE = 8
