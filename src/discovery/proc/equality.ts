/** Equality of the results of two scans, so that unchanged parts stay the same objects. Pure. */

/** Whether two lists contain the same objects in the same order. */
export const sameItems = (left: readonly unknown[], right: readonly unknown[]): boolean =>
  left.length === right.length && left.every((item, index) => item === right[index])

/** Whether two values of plain data are equal, with equal order of their keys. */
export const sameValue = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)
