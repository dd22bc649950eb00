/** A trace's pairs in memory, for the benchmarks that ship them. */
import { readFileSync } from 'node:fs'
import { parsePass } from './parse-pass.ts'

/** The pairs are spread over so many connections, so that every partition receives some. */
export const CONNECTIONS = 64

export interface EncodedPairs {
  /** One behind the other, and where each ends. */
  bytes: Buffer
  ends: readonly number[]
}

export function encodedPairs(path: string): EncodedPairs {
  const chunks: Buffer[] = []
  const ends: number[] = []
  let end = 0
  parsePass(readFileSync(path), (bytes, at, length) => {
    chunks.push(Buffer.from(bytes.subarray(at, at + length)))
    end += length
    ends.push(end)
  })
  return { bytes: Buffer.concat(chunks), ends }
}
