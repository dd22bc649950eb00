/** The layout of a pair as the assemblers encode it (docs/pair.md): the schema's keys in the schema's order. */
import { arrayOf, bytesOf, key, makeToken, mapOf, name, put, putCharacter, Token, token } from './tokens'
import { arrayHeader, boolean, bytes, integer, isNext, mapHeader, nil, text } from './values'

/** 1, packed. */
const VERSION = '\x01'
const START = makeToken('{"v":1,"id":', mapOf(12) + name('v') + VERSION + name('id'))
const REQUEST_START = key('requestStartMicros')
const REQUEST_END = key('requestEndMicros')
const RESPONSE_START = key('responseStartMicros')
const RESPONSE_END = key('responseEndMicros')
const CLIENT = makeToken(',"client":{"address":', name('client') + mapOf(3) + name('address'))
const SERVER = makeToken('},"server":{"address":', name('server') + mapOf(3) + name('address'))
const PORT = key('port')
const POD = key('pod')
const POD_NAME = makeToken('{"name":', mapOf(6) + name('name'))
const NAMESPACE = key('namespace')
const UID = key('uid')
const WORKLOAD = key('workload')
const WORKLOAD_KIND = makeToken('{"kind":', mapOf(2) + name('kind'))
const WORKLOAD_NAME = key('name')
const CONTAINER = key('container')
const LABELS = key('labels')
const REQUEST = makeToken('},"request":{"method":', name('request') + mapOf(9) + name('method'))
const TARGET = key('target')
const RESPONSE = makeToken('},"response":{"status":', name('response') + mapOf(9) + name('status'))
const REASON = key('reason')
const HTTP_VERSION = key('httpVersion')
const HEADERS = key('headers')
const HEADER = makeToken('[', arrayOf(2))
const BODY = key('body')
/** `bodyEncoding` depends on the body and is written with it. */
const BODY_SIZE = makeToken(',"bodySize":', name('bodyEncoding') + name('bin') + name('bodySize'))
const DECODED = key('decoded')
const WIRE_SIZE = key('wireSize')
/** The header of the `capture` map: four keys, and up to two optional ones. */
const CAPTURE = captureOf(4)
const CAPTURE_MORE = captureOf(5)
const CAPTURE_ALL = captureOf(6)
const INTERFACE = key('interface')
const VANTAGE = key('vantage')
const MESH = key('mesh')
const FORWARDED = key('forwarded')
const PROXY_PROTOCOL = makeToken(
  ',"proxyProtocol":{"source":{"address":',
  name('proxyProtocol') + mapOf(2) + name('source') + mapOf(2) + name('address'),
)
const DESTINATION = makeToken('},"destination":{"address":', name('destination') + mapOf(2) + name('address'))
const CLOSE_ENDPOINTS = bytesOf('}}')
const FLAGS = makeToken('},"flags":[', name('flags'))

const CONTENT_ENCODING = bytesOf('content-encoding')
const TRANSFER_ENCODING = bytesOf('transfer-encoding')
const CHUNKED = bytesOf('chunked')
const ENCODED_AS_UTF8 = bytesOf(',"bodyEncoding":"utf8"')
const ENCODED_AS_BASE64 = bytesOf(',"bodyEncoding":"base64"')

const COMMA: u8 = 0x2c
const COLON: u8 = 0x3a
const OPEN_BRACKET: u8 = 0x5b
const CLOSE_BRACKET: u8 = 0x5d
const OPEN_BRACE: u8 = 0x7b
const CLOSE_BRACE: u8 = 0x7d

function captureOf(keys: i32): Token {
  return makeToken('},"capture":{"node":', name('capture') + mapOf(keys) + name('node'))
}

/** Copies a pair. @param leaveEncoded return false for a message with a coding other than `chunked` */
export function pair(leaveEncoded: bool): bool {
  return (
    token(START) &&
    text() &&
    times() &&
    token(CLIENT) &&
    endpoint() &&
    token(SERVER) &&
    endpoint() &&
    token(REQUEST) &&
    text() &&
    token(TARGET) &&
    text() &&
    message(leaveEncoded) &&
    token(RESPONSE) &&
    integer() &&
    token(REASON) &&
    text() &&
    message(leaveEncoded) &&
    capture() &&
    flags() &&
    putCharacter(CLOSE_BRACE)
  )
}

function times(): bool {
  return (
    token(REQUEST_START) &&
    integer() &&
    token(REQUEST_END) &&
    integer() &&
    token(RESPONSE_START) &&
    integer() &&
    token(RESPONSE_END) &&
    integer()
  )
}

function endpoint(): bool {
  return text() && token(PORT) && integer() && token(POD) && (nil() || pod())
}

function pod(): bool {
  return (
    token(POD_NAME) &&
    (nil() || text()) &&
    token(NAMESPACE) &&
    (nil() || text()) &&
    token(UID) &&
    text() &&
    token(WORKLOAD) &&
    (nil() || workload()) &&
    token(CONTAINER) &&
    text() &&
    token(LABELS) &&
    labels() &&
    putCharacter(CLOSE_BRACE)
  )
}

function workload(): bool {
  return token(WORKLOAD_KIND) && text() && token(WORKLOAD_NAME) && text() && putCharacter(CLOSE_BRACE)
}

function labels(): bool {
  const count = mapHeader()
  if (count < 0) return false
  putCharacter(OPEN_BRACE)
  for (let i = 0; i < count; i++) {
    if (i > 0) putCharacter(COMMA)
    if (!(text() && putCharacter(COLON) && text())) return false
  }
  return putCharacter(CLOSE_BRACE)
}

/** The fields from `httpVersion` on, which requests and responses share. */
function message(leaveEncoded: bool): bool {
  return (
    token(HTTP_VERSION) &&
    text() &&
    token(HEADERS) &&
    fields(leaveEncoded) &&
    token(BODY) &&
    bytes(ENCODED_AS_UTF8, 22, ENCODED_AS_BASE64, 24) &&
    token(BODY_SIZE) &&
    integer() &&
    token(DECODED) &&
    boolean() &&
    token(WIRE_SIZE) &&
    integer()
  )
}

/** An array of names and values. @param leaveEncoded return false at a coding other than `chunked` */
function fields(leaveEncoded: bool): bool {
  const count = arrayHeader()
  if (count < 0) return false
  putCharacter(OPEN_BRACKET)
  for (let i = 0; i < count; i++) {
    if (i > 0) putCharacter(COMMA)
    if (!token(HEADER) || (leaveEncoded && isNext(CONTENT_ENCODING, 16))) return false
    const isTransfer = leaveEncoded && isNext(TRANSFER_ENCODING, 17)
    if (!text() || (isTransfer && !isNext(CHUNKED, 7))) return false
    if (!(putCharacter(COMMA) && text() && putCharacter(CLOSE_BRACKET))) return false
  }
  return putCharacter(CLOSE_BRACKET)
}

function capture(): bool {
  let optional = 0
  if (!token(CAPTURE)) optional = token(CAPTURE_MORE) ? 1 : token(CAPTURE_ALL) ? 2 : -1
  if (optional < 0) return false
  const isCopied = text() && token(INTERFACE) && text() && token(VANTAGE) && text() && token(MESH) && (nil() || text())
  if (!isCopied) return false
  if (optional > 0 && token(FORWARDED)) {
    if (!fields(false)) return false
    optional--
  }
  return optional === 0 || (optional === 1 && proxyProtocol())
}

function proxyProtocol(): bool {
  return (
    token(PROXY_PROTOCOL) &&
    text() &&
    token(PORT) &&
    integer() &&
    token(DESTINATION) &&
    text() &&
    token(PORT) &&
    integer() &&
    put(CLOSE_ENDPOINTS, 2)
  )
}

function flags(): bool {
  if (!token(FLAGS)) return false
  const count = arrayHeader()
  for (let i = 0; i < count; i++) {
    if (i > 0) putCharacter(COMMA)
    if (!text()) return false
  }
  return count >= 0 && putCharacter(CLOSE_BRACKET)
}
