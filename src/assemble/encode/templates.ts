/** Constant MessagePack bytes, encoded once at start-up and copied by the writers. */

/** Bytes to concatenate. */
export type Part = Uint8Array | readonly number[]

/** Concatenates bytes. */
export function template(...parts: Part[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** Header of a map with up to 15 keys. */
export const fixmap = (keys: number): Uint8Array => Uint8Array.of(0x80 | keys)

/** A string of up to 255 ASCII characters. */
export function key(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  return bytes.length < 32 ? template([0xa0 | bytes.length], bytes) : template([0xd9, bytes.length], bytes)
}

/** An unsigned integer of fixed size, to be patched later: 2 bytes (uint16), 4 (uint32) or 8 (uint64). */
export function uint(value: number, size: 2 | 4 | 8): Uint8Array {
  const bytes = new Uint8Array(1 + size)
  const view = new DataView(bytes.buffer)
  bytes[0] = size === 2 ? 0xcd : size === 4 ? 0xce : 0xcf
  if (size === 2) view.setUint16(1, value)
  else if (size === 4) view.setUint32(1, value)
  else view.setBigUint64(1, BigInt(value))
  return bytes
}
