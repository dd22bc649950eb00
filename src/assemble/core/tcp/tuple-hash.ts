/**
 * The bucket of a connection: multilinear hashing of 32-bit words with random 64-bit keys (Lemire and Kaser, "Strongly
 * universal string hashing is fast", 2014). Two different tuples share a bucket by chance alone, whoever chooses them: the
 * hash that steers frames is weaker, and without a secret where files are read.
 */
import { Region } from '../memory/regions'

/** Keys that the host has to provide: one for each word, and one more. */
export const HASH_KEYS: usize = 11

/** The next term of a sum. @param index of the word, from 0 on */
export function hashTerm(index: usize, word: u32): u64 {
  return load<u64>(Region.hashKeys + (index + 1) * 8) * <u64>word
}

/** The hash of the sum of all terms. */
export function hashOf(terms: u64): u32 {
  // Only the upper half is universal.
  return <u32>((load<u64>(Region.hashKeys) + terms) >> 32)
}
