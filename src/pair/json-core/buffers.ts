/**
 * Where the input and the output are in the program's memory, and how far both have been processed.
 *
 *     0 … tokens │ input, slack │ output, slack │
 *
 * Stale bytes of earlier documents follow the input. Reading may run into them; `isWhole` detects that.
 */

const PAGE_BYTES: usize = 65_536
/** Values are read, compared and copied in steps of 16 bytes: up to this much past the end. */
const SLACK: usize = 64
const FIRST_CAPACITY: usize = 16 * 1024
/** A byte becomes at most six (\u00XX); the rest is for quotes, colons and commas of the tokens. */
const GROWTH: usize = 6
const TOKEN_ROOM: usize = 1024

/** The document that is read. */
export class Input {
  static start: usize = 0
  /** Bytes that fit. */
  static capacity: usize = 0
  static end: usize = 0
  static at: usize = 0
}

/** Its JSON. */
export class Output {
  static start: usize = 0
  static at: usize = 0
}

/**
 * Makes room for a document of `length` bytes and its JSON. Buffers grow to what the largest document needs.
 *
 * @returns where the host has to write it; 0 if there is not enough memory
 */
export function provideRoom(length: usize): usize {
  if (Input.start === 0) Input.start = (heap.alloc(0) + 15) & ~15
  if (length <= Input.capacity) return Input.start
  let capacity = FIRST_CAPACITY
  while (capacity < length) capacity *= 2
  const output = Input.start + capacity + SLACK
  const end = output + GROWTH * capacity + TOKEN_ROOM + SLACK
  const pages = (end + PAGE_BYTES - 1) / PAGE_BYTES
  if (pages > <usize>memory.size() && memory.grow(<i32>(pages - <usize>memory.size())) < 0) return 0
  Input.capacity = capacity
  Output.start = output
  return Input.start
}

/** Where the JSON begins. Moves when `provideRoom` makes more room. */
export function outputStart(): usize {
  return Output.start
}

/** Begins a document, whose JSON begins at `to`. */
export function begin(length: usize, to: usize): void {
  Input.at = Input.start
  Input.end = Input.start + length
  Output.at = to
}

/** Whether reading has stopped exactly at the end of the document. */
export function isWhole(): bool {
  return Input.at === Input.end
}
