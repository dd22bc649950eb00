/** A copy of a table with room for `length` words. @param fill value of those that are new */
export function grownInts(words: Int32Array, length: number, fill: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(length)
  grown.set(words)
  if (fill !== 0) grown.fill(fill, words.length)
  return grown
}
