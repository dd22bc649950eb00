/** Several measurements of one quantity. */
export interface Spread {
  min: number
  median: number
  max: number
}

/** @param values at least one */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return { min: sorted[0], median, max: sorted.at(-1)! }
}

/** How much `values`, sampled at even distances, rise from one to the next: the slope of the least squares line. */
export function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  let [across, along] = [0, 0]
  values.forEach((value, i) => {
    across += (i - middle) * (value - mean)
    along += (i - middle) ** 2
  })
  return along === 0 ? 0 : across / along
}

/** The value below which `share` of the values lie, at least one of them; 1: the largest. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}
