/** The constant parts of pairs, encoded once and put into the program's memory (core/encode/parts.ts). */

import { PART_BODY, PART_METHOD, PART_STATUS, PART_TARGET, PART_VERSION, PARTS_BYTES } from '../core/head/layout.ts'
import { fixmap, key, template, uint } from '../encode/templates.ts'

const METHOD = template(fixmap(9), key('method'))
const TARGET = template(key('target'))
const STATUS = template(key('response'), fixmap(9), key('status'), uint(0, 2), key('reason'))
const VERSION = template(key('httpVersion'), key('1.1'), key('headers'))
const BODY = template(key('body'), [0xc6, 0, 0, 0, 0])
const TAIL = template(
  key('bodyEncoding'),
  key('bin'),
  key('bodySize'),
  uint(0, 4),
  key('decoded'),
  [0xc2],
  key('wireSize'),
  uint(0, 4),
)
/** Bytes in front of a request's method, of its target, and of its headers. */
export const METHOD_BYTES = METHOD.length
export const TARGET_BYTES = TARGET.length
export const VERSION_BYTES = VERSION.length
const STATUS_VALUE = STATUS.length - key('reason').length - 2
const VERSION_VALUE = key('httpVersion').length + 1
const BODY_SIZE_VALUE = key('bodyEncoding').length + key('bin').length + key('bodySize').length + 1
/** Bytes of a message before its body, at most, beside its start line and fields. */
const HEAD_OVERHEAD = STATUS.length + METHOD.length + TARGET.length + VERSION.length + BODY.length + 3 * 5 + 16
const TIME = (name: string): Uint8Array => template(key(name), uint(0, 8))
const ID = template(fixmap(12), key('v'), [1], key('id'), [0xd9, 32])
const TIMES = ['requestStartMicros', 'requestEndMicros', 'responseStartMicros', 'responseEndMicros'].map(TIME)
const PREFIX = template(ID, new Uint8Array(32), ...TIMES, key('client'))
const TIME_AT = TIMES.map((_, i) => ID.length + 32 + TIMES.slice(0, i + 1).reduce((sum, t) => sum + t.length, 0) - 8)
const ENDPOINT = template(fixmap(3), key('address'))
const PORT = template(key('port'), uint(0, 2), key('pod'))
const PORT_VALUE = key('port').length + 1
const SERVER = template(key('server'))
const REQUEST = template(key('request'))
/** In the order of `writeFlags` (core/encode/pair.ts). */
const FLAGS = [
  'midstream',
  'earlyResponse',
  'tunnel',
  'obsFold',
  'malformedHeader',
  'contentLengthIgnored',
  'incompleteResponse',
].map(key)

/** In front of the `capture` map. */
export const CAPTURE = key('capture')
/** Behind it: the header of the flags, which the program counts there. */
export const NO_FLAGS = template(key('flags'), [0x90])

/** @param put stores bytes and returns their address. @returns the words of `Part`, in the order of its fields */
export function putParts(put: (content: Uint8Array) => number): number[] {
  const table = new DataView(new ArrayBuffer(PARTS_BYTES))
  const add = (at: number, content: Uint8Array, value = 0): void => {
    table.setUint32(at, put(content), true)
    table.setUint32(at + 4, content.length, true)
    table.setUint32(at + 8, value, true)
  }
  add(PART_METHOD, METHOD)
  add(PART_TARGET, TARGET)
  add(PART_STATUS, STATUS, STATUS_VALUE)
  add(PART_VERSION, VERSION, VERSION_VALUE)
  add(PART_BODY, BODY)
  const flags = new DataView(new ArrayBuffer(8 * FLAGS.length))
  for (const [i, name] of FLAGS.entries()) {
    flags.setUint32(8 * i, put(name), true)
    flags.setUint32(8 * i + 4, name.length, true)
  }
  return [
    put(new Uint8Array(table.buffer)),
    HEAD_OVERHEAD,
    put(TAIL),
    TAIL.length,
    BODY_SIZE_VALUE,
    put(PREFIX),
    PREFIX.length,
    ID.length,
    ...TIME_AT,
    put(ENDPOINT),
    ENDPOINT.length,
    put(PORT),
    PORT.length,
    PORT_VALUE,
    put(SERVER),
    SERVER.length,
    put(REQUEST),
    REQUEST.length,
    put(new Uint8Array(flags.buffer)),
  ]
}
