/**
 * Undoes `Content-Encoding` (RFC 9110 §8.4), and codings of `Transfer-Encoding` other than `chunked` (RFC 9112 §7.2).
 * Limits keep the cost of a decompression bomb low.
 *
 * A body is decoded through its whole chain of codings, or it stays as sent and the pair is flagged.
 */
import * as zlib from 'node:zlib'
import type { Message, Pair } from './pair.ts'
import { isWholeZstd } from './zstd-frame.ts'

/** Limits of decoding. A body that exceeds one stays as sent. */
export interface DecodeLimits {
  /** Largest decoded body, in bytes. */
  bytes: number
  /** Largest decoded body as a multiple of the encoded one. Limits the cost of many small bombs. */
  ratio: number
}

/** 8 MiB, and the ratio from which Apache's mod_deflate rejects a body (DeflateInflateRatioLimit). */
export const DECODE_LIMITS: Readonly<DecodeLimits> = { bytes: 8 * 1024 * 1024, ratio: 200 }

/** The ratio applies above this many decoded bytes: short bodies of repeated text legitimately exceed it. */
const RATIO_FLOOR_BYTES = 64 * 1024

/** Longest chain of codings that is undone; curl has the same limit. */
const MAX_CODINGS = 5

/** Flags of a pair whose body was not decoded: its coding is unknown, it is damaged, or it exceeds a limit. */
export const REQUEST_NOT_DECODED = 'requestBodyNotDecoded'
export const RESPONSE_NOT_DECODED = 'responseBodyNotDecoded'

type Decoder = (body: Uint8Array, options: { maxOutputLength: number }) => Uint8Array

/**
 * "deflate" means the zlib format, but some senders omit its wrapper (RFC 9110 §8.4.1.2). The wrapper's first two bytes
 * carry a check value (RFC 1950 §2.2); a bare stream may satisfy it by chance, hence the second attempt.
 */
const inflateEither: Decoder = (body, options) => {
  const wrapped = body.length >= 2 && (body[0] & 0x0f) === 8 && ((body[0] << 8) | body[1]) % 31 === 0
  if (!wrapped) return zlib.inflateRawSync(body, options)
  try {
    return zlib.inflateSync(body, options)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'Z_DATA_ERROR') throw error
    return zlib.inflateRawSync(body, options)
  }
}

/** Undefined before Node.js 22.15. */
const zstd = (zlib as { zstdDecompressSync?: Decoder }).zstdDecompressSync

/** Node.js 22 returns what a truncated body begins with, without an error. */
const wholeZstd =
  (decoder: Decoder): Decoder =>
  (body, options) => {
    if (!isWholeZstd(body)) throw new Error('the body is truncated')
    return decoder(body, options)
  }

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', zlib.gunzipSync],
  ['x-gzip', zlib.gunzipSync],
  ['deflate', inflateEither],
  ['br', zlib.brotliDecompressSync],
  ...(zstd === undefined ? [] : [['zstd', wholeZstd(zstd)] as const]),
])

/** Codings of all lines with this name, in lower case, in the order in which they were applied, without `identity`. */
function codingsIn(message: Message, field: string): string[] {
  const codings: string[] = []
  for (const [name, value] of message.headers) {
    if (name.length !== field.length || name.toLowerCase() !== field) continue
    for (const part of value.split(',')) {
      const coding = part.trim().toLowerCase()
      if (coding !== '' && coding !== 'identity') codings.push(coding)
    }
  }
  return codings
}

/** Codings of the body after de-chunking, in the order in which they were applied. */
function codingsOf(message: Message): string[] {
  const transfer = codingsIn(message, 'transfer-encoding')
  if (transfer.at(-1) === 'chunked') transfer.pop()
  return [...codingsIn(message, 'content-encoding'), ...transfer]
}

/** @returns the decoded body; undefined if it must stay as sent */
function decode(body: Uint8Array, codings: string[], limits: DecodeLimits): Uint8Array | undefined {
  if (codings.length > MAX_CODINGS) return undefined
  const maxOutputLength = Math.min(limits.bytes, Math.max(RATIO_FLOOR_BYTES, body.length * limits.ratio))
  let bytes = body
  for (const coding of codings.reverse()) {
    const decoder = DECODERS.get(coding)
    if (decoder === undefined) return undefined
    try {
      bytes = decoder(bytes, { maxOutputLength })
    } catch {
      return undefined
    }
  }
  return bytes
}

/** @returns false if the body has a coding that could not be undone */
function decodeMessage(message: Message, limits: DecodeLimits): boolean {
  if (message.decoded || message.body.length === 0) return true
  const codings = codingsOf(message)
  if (codings.length === 0) return true
  const body = decode(message.body, codings, limits)
  if (body === undefined) return false
  message.body = body
  message.decoded = true
  return true
}

/**
 * Decodes both bodies of a pair in place. `bodySize` keeps the size as sent. An empty body (HEAD, 304) is not decoded,
 * even if the message has a Content-Encoding, and its `decoded` stays false.
 *
 * @throws never: a body that cannot be decoded stays as sent, and REQUEST_NOT_DECODED or RESPONSE_NOT_DECODED is added
 *   to `flags`
 */
export function decodeBodies(pair: Pair, limits: DecodeLimits = DECODE_LIMITS): void {
  if (!decodeMessage(pair.request, limits)) addFlag(pair, REQUEST_NOT_DECODED)
  if (!decodeMessage(pair.response, limits)) addFlag(pair, RESPONSE_NOT_DECODED)
}

function addFlag(pair: Pair, flag: string): void {
  if (!pair.flags.includes(flag)) pair.flags.push(flag)
}
