/**
 * Parses and formats durations, sizes and CPU cores with units. A bare number is milliseconds, bytes or cores. Pure functions.
 */

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const BYTES = {
  B: 1,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
} as const

/** Matches a duration: a number, or a sequence of numbers with units (`1m30s`). */
export const DURATION_PATTERN = /^(\d+|(\d+(\.\d+)?(ms|s|m|h|d))+)$/

/** Matches a size: a number, or a number with a unit. */
export const SIZE_PATTERN = /^\d+(\.\d+)?(B|KB|MB|GB|KiB|MiB|GiB)$|^\d+$/

/** Matches a number of CPU cores: a decimal number, or thousandths as Kubernetes writes them (`250m`). */
export const CORES_PATTERN = /^\d+(\.\d+)?$|^\d+m$/

/** The accepted numbers of cores, for messages and the reference. */
export const CORES_FORMS = 'a number of CPU cores (0.25, 2), or of thousandths (250m)'

/** The accepted durations, for messages and the reference. */
export const DURATION_FORMS = 'a number with a unit (250ms, 60s, 5m, 2h, 1d), or a bare number of milliseconds'
/** The accepted sizes, for messages and the reference. */
export const SIZE_FORMS =
  'a number with a unit (512KiB, 64MiB, 1GiB; KB, MB and GB are powers of 1000), or a bare number of bytes'

/** Parses a duration. @returns milliseconds, rounded; null if the text is not a duration (DURATION_FORMS) */
export function parseDuration(text: string): number | null {
  if (!DURATION_PATTERN.test(text)) return null
  if (/^\d+$/.test(text)) return Number(text)
  let ms = 0
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    ms += Number(count) * MS[unit as keyof typeof MS]
  }
  return Math.round(ms)
}

/** Parses a size. @returns bytes, rounded; null if the text is not a size (SIZE_FORMS) */
export function parseSize(text: string): number | null {
  const match = SIZE_PATTERN.test(text) ? /^([\d.]+)(\D*)$/.exec(text) : null
  if (match === null) return null
  const unit = match[2] === '' ? 'B' : match[2]
  return Math.round(Number(match[1]) * BYTES[unit as keyof typeof BYTES])
}

/** Parses a number of CPU cores. @returns null if the text is not one (CORES_FORMS) */
export function parseCores(text: string): number | null {
  if (!CORES_PATTERN.test(text)) return null
  return text.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : Number(text)
}

/** Formats a duration with the largest unit that is exact: 300000 → `5m`, 90000 → `90s`, 0 → `0ms`. */
export function formatDuration(ms: number): string {
  const units = Object.entries(MS).toReversed()
  const [unit, worth] = units.find(([, each]) => ms >= each && ms % each === 0) ?? ['ms', 1]
  return `${ms / worth}${unit}`
}

/** Formats a size with the largest binary unit that is exact: 1048576 → `1MiB`, 262144 → `256KiB`, 1000 → `1000`. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    if (bytes >= BYTES[unit] && bytes % BYTES[unit] === 0) return `${bytes / BYTES[unit]}${unit}`
  }
  return String(bytes)
}
