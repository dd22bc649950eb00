/** Formats times and sizes in few columns. */

const twoDigits = (value: number): string => String(value).padStart(2, '0')

/**
 * Formats a time of day.
 *
 * @param micros  microseconds since the Unix epoch
 * @returns local time, HH:MM:SS.mmm
 */
export function timeOfDay(micros: number): string {
  const date = new Date(Math.floor(micros / 1000))
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits)
  return `${hours}:${minutes}:${seconds}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** Formats a day. @param micros  microseconds since the Unix epoch @returns local date, YYYY-MM-DD */
export function dayOf(micros: number): string {
  const date = new Date(Math.floor(micros / 1000))
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`
}

/**
 * Formats a duration.
 *
 * @param micros  microseconds; negative counts as 0
 * @returns at most 6 columns below a day: `877µs`, `12.3ms`, `1.24s`, `75.0s`, `3600s`
 */
export function shortDuration(micros: number): string {
  if (micros < 1000) return `${Math.max(0, micros)}µs`
  const [value, unit] = micros < 999_500 ? [micros / 1000, 'ms'] : [micros / 1_000_000, 's']
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
  return value.toFixed(decimals) + unit
}

const SIZE_UNITS = ['K', 'M', 'G', 'T', 'P']

/** Formats a byte count in at most 4 columns, in units of 1024 like `ls -h`: `512`, `1.4K`, `23K`. */
export function shortSize(bytes: number): string {
  if (bytes < 1000) return String(bytes)
  let value = bytes / 1024
  let unit = 0
  while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return value.toFixed(value < 9.95 ? 1 : 0) + SIZE_UNITS[unit]
}

/** Formats a count with separators: `12,345`. Without `toLocaleString`, whose first call costs 20 ms. */
export const grouped = (count: number): string => String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')

/** `1 pair`, `12,345 pairs`. @param noun in the singular */
export const counted = (count: number, noun: string): string => `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
