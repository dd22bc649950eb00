/**
 * Undoes `Content-Encoding` (RFC 9110 §8.4) under a bound, so that a bomb costs little.
 *
 * All or nothing: a body is decoded through its whole chain of codings or ships as sent, with a flag.
 */
import * as zlib from 'node:zlib'
import type { Message, Pair } from './pair.ts'

/** Bounds of decoding. Over one of them a body ships as sent. */
export interface DecodeLimits {
  /** Largest decoded body, in bytes. */
  bytes: number
  /** Largest decoded body as a multiple of the encoded one, which keeps the cost of many small bombs in hand. */
  ratio: number
}

/** 8 MiB, and the ratio Apache's mod_deflate takes for a bomb (DeflateInflateRatioLimit). */
export const DECODE_LIMITS: Readonly<DecodeLimits> = { bytes: 8 * 1024 * 1024, ratio: 200 }

/** Whatever the ratio, a body may grow to this many bytes: short bodies of repeated text compress beyond it. */
const RATIO_FLOOR_BYTES = 64 * 1024

/** Longest chain of codings. curl's limit. */
const MAX_CODINGS = 5

/** Flags of a pair whose body has a coding we do not know, is damaged, or is over a limit. */
export const REQUEST_NOT_DECODED = 'requestBodyNotDecoded'
export const RESPONSE_NOT_DECODED = 'responseBodyNotDecoded'

type Decoder = (body: Uint8Array, options: { maxOutputLength: number }) => Uint8Array

/**
 * "deflate" means the zlib format, but some senders leave its wrapper out (RFC 9110 §8.4.1.2). The wrapper's first two
 * bytes check themselves (RFC 1950 §2.2), though a bare stream may begin like one.
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

/** Node 22.15 and later. */
const zstd = (zlib as { zstdDecompressSync?: Decoder }).zstdDecompressSync

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', zlib.gunzipSync],
  ['x-gzip', zlib.gunzipSync],
  ['deflate', inflateEither],
  ['br', zlib.brotliDecompressSync],
  ...(zstd === undefined ? [] : [['zstd', zstd] as const]),
])

/** Codings in the order they were applied, `identity` left out, from every `Content-Encoding` line. */
function codingsOf(message: Message): string[] {
  const codings: string[] = []
  for (const [name, value] of message.headers) {
    if (name.length !== 16 || name.toLowerCase() !== 'content-encoding') continue
    for (const part of value.split(',')) {
      const coding = part.trim().toLowerCase()
      if (coding !== '' && coding !== 'identity') codings.push(coding)
    }
  }
  return codings
}

/** @returns the decoded body, or undefined where it must ship as sent */
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

/** @returns whether the body is as it should be; false where it has a coding that could not be undone */
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
 * Decodes both bodies of a pair, in place. `bodySize` stays what was sent. An empty body (HEAD, 304) has nothing to
 * decode, whatever its headers say, and `decoded` stays false.
 *
 * @throws never: a body that cannot be decoded stays as sent, and `flags` gets REQUEST_NOT_DECODED or
 *   RESPONSE_NOT_DECODED.
 */
export function decodeBodies(pair: Pair, limits: DecodeLimits = DECODE_LIMITS): void {
  if (!decodeMessage(pair.request, limits)) addFlag(pair, REQUEST_NOT_DECODED)
  if (!decodeMessage(pair.response, limits)) addFlag(pair, RESPONSE_NOT_DECODED)
}

function addFlag(pair: Pair, flag: string): void {
  if (!pair.flags.includes(flag)) pair.flags.push(flag)
}
