/** Finds the known word nearest to a mistyped one. Pure functions. */

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of adjacent characters. */
export function editDistance(from: string, to: string): number {
  let before: number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let best = Math.min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (swapped) best = Math.min(best, before[column - 2] + 1)
      current.push(best)
    }
    before = previous
    previous = current
  }
  return previous[to.length]
}

/**
 * @param word  what was written
 * @param known  what could have been meant
 * @returns the known word at the least distance, compared without case or separators; the last part of a dotted path
 *   counts double, so that `maxAge` alone finds `ship.maxAge`. Null if none is similar.
 */
export function nearest(word: string, known: Iterable<string>): string | null {
  let best: string | null = null
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const distance = editDistance(plain(word), plain(candidate)) + editDistance(lastPart(word), lastPart(candidate))
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best !== null && isSimilar(word, best) ? best : null
}

/** Whether the whole word or its last part differs in at most a third of its characters, of short ones in one. */
function isSimilar(word: string, known: string): boolean {
  const close = (from: string, to: string): boolean =>
    editDistance(from, to) <= Math.max(1, Math.floor(Math.max(from.length, to.length) / 3)) && from.length > 1
  return close(plain(word), plain(known)) || close(lastPart(word), lastPart(known))
}

/** The prefix that all variables share would make any two of them similar. */
const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/^interceptor_/, '')
    .replaceAll(/[._-]/g, '')
const lastPart = (path: string): string => plain(path.slice(path.lastIndexOf('.') + 1))
