/**
 * The program that transcodes an assembler's MessagePack to the JSON form. The host (../json-writer.ts) writes a pair
 * to the input, calls `transcode`, and reads the output.
 */
import { begin, isWhole, Output } from './buffers'
import { pair } from './pair'

export { outputStart, provideRoom } from './buffers'

/**
 * Writes the JSON of the pair in the input.
 *
 * @param length bytes of the input
 * @param to where the JSON begins, in the output
 * @param leaveEncoded reject a message with a coding other than `chunked`
 * @returns the address after the JSON; 0 if the input has another layout
 */
export function transcode(length: usize, to: usize, leaveEncoded: bool): usize {
  begin(length, to)
  return pair(leaveEncoded) && isWhole() ? Output.at : 0
}
