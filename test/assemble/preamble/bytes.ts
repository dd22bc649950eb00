/** Bytes from text of the characters U+0000 to U+00FF. */
export const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
