/**
 * The work that touches every byte of a message head, with 16-byte and 64-bit operations: a part of the assembler's program,
 * which its modules import directly, and here a program of its own, for tests.
 */
export { digest } from '../../../../src/assemble/core/head/digest'
export { writeHead, writeId } from '../../../../src/assemble/core/head/encode'
export { scan } from '../../../../src/assemble/core/head/scan'
