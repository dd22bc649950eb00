/** Sets of TCP ports as inclusive ranges, ordered and disjoint. Pure. */

export interface PortRange {
  readonly first: number
  readonly last: number
}

const MAX_PORT = 65_535

/** Every port. */
export const ALL_PORTS: readonly PortRange[] = [{ first: 1, last: MAX_PORT }]

/**
 * Parses comma-separated ports and ranges: `8080, 9000-9010`. Items that are neither are ignored, because the text comes
 * from a pod's annotations.
 */
export function parsePortRanges(text: string): PortRange[] {
  return mergePortRanges(
    text.split(',').flatMap((item) => {
      const [, first = '', last = first] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(item) ?? []
      const range = { first: Number(first), last: Number(last) }
      return range.first >= 1 && range.last <= MAX_PORT && range.first <= range.last ? [range] : []
    }),
  )
}

/** The union of ranges, which may overlap and be in any order. */
export function mergePortRanges(ranges: readonly PortRange[]): PortRange[] {
  const merged: PortRange[] = []
  for (const range of [...ranges].sort((left, right) => left.first - right.first)) {
    const before = merged.at(-1)
    if (before === undefined || range.first > before.last + 1) merged.push(range)
    else merged[merged.length - 1] = { first: before.first, last: Math.max(before.last, range.last) }
  }
  return merged
}

/** The ports of `ranges` that are not in `removed`. */
export function subtractPortRanges(ranges: readonly PortRange[], removed: readonly PortRange[]): PortRange[] {
  let left = mergePortRanges(ranges)
  for (const { first, last } of removed) {
    left = left.flatMap((range) => {
      if (last < range.first || first > range.last) return [range]
      const below = { first: range.first, last: first - 1 }
      const above = { first: last + 1, last: range.last }
      return [below, above].filter((part) => part.first <= part.last)
    })
  }
  return left
}

/** Whether one of the ranges contains a port. */
export const portRangesContain = (ranges: readonly PortRange[], port: number): boolean =>
  ranges.some(({ first, last }) => port >= first && port <= last)

/** Ranges of single ports. */
export const singlePorts = (ports: readonly number[]): PortRange[] =>
  mergePortRanges(ports.map((port) => ({ first: port, last: port })))

/** `8080, 9000-9010`; `all` for every port. */
export function formatPortRanges(ranges: readonly PortRange[]): string {
  if (ranges.length === 1 && ranges[0].first <= 1 && ranges[0].last === MAX_PORT) return 'all'
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')
}
