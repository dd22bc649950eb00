/** The values of the transcoder as a separate program for tests, with tokens that the host makes. */
import { begin, isWhole, Output, outputStart, provideRoom } from '../../../src/pair/json-core/buffers'
import { put, Token, token } from '../../../src/pair/json-core/tokens'
import { arrayHeader, boolean, bytes, integer, isNext, mapHeader, nil, text } from '../../../src/pair/json-core/values'

export {
  arrayHeader,
  begin,
  boolean,
  bytes,
  integer,
  isNext,
  isWhole,
  mapHeader,
  nil,
  outputStart,
  provideRoom,
  put,
  text,
}

/** Memory for what the host writes: allocated before the input, which is behind everything else. */
const SCRATCH_BYTES: usize = 64 * 1024
const scratch = heap.alloc(SCRATCH_BYTES)
const custom = changetype<Token>(heap.alloc(offsetof<Token>()))

export function scratchAt(): usize {
  return scratch
}

export function outputEnd(): usize {
  return Output.at
}

export function tokenOf(packed: usize, packedBytes: usize, json: usize, jsonBytes: usize): bool {
  custom.packed = packed
  custom.packedBytes = packedBytes
  custom.json = json
  custom.jsonBytes = jsonBytes
  return token(custom)
}
