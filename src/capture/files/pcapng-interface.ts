/** Interface description blocks of pcapng and the units of their timestamps (draft-ietf-opsawg-pcapng §4.2). */

/** Conversion of an interface's timestamps to microseconds. */
export interface TimeUnit {
  /** One unit is base ** -exponent seconds. */
  base: 2 | 10
  exponent: number
  /** Added to every time, microseconds; may be negative. */
  offsetMicros: number
}

/** A section's description of one of its interfaces. */
export interface SectionInterface {
  /** Id at the sink, -1 before its first frame. */
  id: number
  name: string | null
  linkType: number
  /** Bytes kept of each frame, Infinity for all: simple packet blocks do not record it. */
  snapLength: number
  unit: TimeUnit
}

const OPTION_END = 0
const OPTION_NAME = 2
const OPTION_RESOLUTION = 9
const OPTION_OFFSET = 14
const MAX_NAME_BYTES = 256
const TWO_32 = 2 ** 32

/** Reads the block at `begin`, whose closing length is at `end`; its fixed fields are complete. */
export function readInterface(
  bytes: Uint8Array,
  view: DataView,
  begin: number,
  end: number,
  little: boolean,
): SectionInterface {
  const snapLength = view.getUint32(begin + 12, little)
  const described: SectionInterface = {
    id: -1,
    name: null,
    linkType: view.getUint16(begin + 8, little),
    snapLength: snapLength === 0 ? Number.POSITIVE_INFINITY : snapLength,
    unit: { base: 10, exponent: 6, offsetMicros: 0 },
  }
  let at = begin + 16
  while (at + 4 <= end) {
    const code = view.getUint16(at, little)
    const length = view.getUint16(at + 2, little)
    const value = at + 4
    if (code === OPTION_END || value + length > end) break
    applyOption(described, code, bytes.subarray(value, value + length), little)
    at = value + ((length + 3) & ~3)
  }
  return described
}

function applyOption(described: SectionInterface, code: number, value: Uint8Array, little: boolean): void {
  if (code === OPTION_NAME && value.length > 0) {
    const name = new TextDecoder().decode(value.subarray(0, MAX_NAME_BYTES)).replace(/\0.*$/s, '')
    if (name !== '') described.name = name
  } else if (code === OPTION_RESOLUTION && value.length === 1) {
    described.unit.base = value[0] & 0x80 ? 2 : 10
    described.unit.exponent = value[0] & 0x7f
  } else if (code === OPTION_OFFSET && value.length === 8) {
    const seconds = new DataView(value.buffer, value.byteOffset, 8).getBigInt64(0, little)
    described.unit.offsetMicros = Number(seconds) * 1e6
  }
}

/**
 * Converts a timestamp to microseconds since the Unix epoch, truncated; exact for every decimal resolution to
 * picoseconds and every binary one to 2^-32 s. Times before the epoch or beyond exact integers are clamped.
 *
 * @param high upper, @param low lower 32 bits of the timestamp
 */
export function toMicros(high: number, low: number, unit: TimeUnit): number {
  const micros =
    unit.offsetMicros +
    (unit.base === 10 ? fromDecimal(high, low, unit.exponent) : fromBinary(high, low, unit.exponent))
  return Math.max(0, Math.min(micros, Number.MAX_SAFE_INTEGER))
}

function fromDecimal(high: number, low: number, exponent: number): number {
  if (exponent <= 6) return (high * TWO_32 + low) * 10 ** (6 - exponent)
  // A divisor below 2^21 keeps every step an exact integer; finer resolutions are divided in a second step.
  const divisor = 10 ** (Math.min(exponent, 12) - 6)
  const rest = high % divisor
  const micros = ((high - rest) / divisor) * TWO_32 + Math.floor((rest * TWO_32 + low) / divisor)
  return exponent <= 12 ? micros : Math.floor(micros / 10 ** (exponent - 12))
}

function fromBinary(high: number, low: number, exponent: number): number {
  const units = 2 ** exponent
  if (exponent <= 32) {
    const fraction = low % units
    const seconds = high * 2 ** (32 - exponent) + (low - fraction) / units
    return seconds * 1e6 + Math.floor((fraction * 1e6) / units)
  }
  const fraction = high % 2 ** (exponent - 32)
  const seconds = (high - fraction) / 2 ** (exponent - 32)
  return seconds * 1e6 + Math.floor(((fraction * TWO_32 + low) / units) * 1e6)
}
