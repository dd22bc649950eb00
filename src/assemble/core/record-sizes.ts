/**
 * Bytes of the program's records and tables, for the host, which reserves their memory. The program does not compile unless these
 * are their sizes (index.ts).
 */
export const SIZE_OF_FLOW = 112
export const SIZE_OF_TAIL = 24
export const SIZE_OF_EXTRAS = 8
export const SIZE_OF_RARE_STATE = 136
export const SIZE_OF_CONNECTION = 48
export const SIZE_OF_DOUBTS = 16
export const SIZE_OF_PROGRESS = 96
export const SIZE_OF_EXCHANGE = 128
export const SIZE_OF_MESSAGE = 56
export const SIZE_OF_INTERFACE = 64
export const SIZE_OF_SLAB = 20
export const SIZE_OF_LISTS = 88
export const SIZE_OF_ENDS = 425_984
export const SIZE_OF_PAGE = 16
export const SIZE_OF_HASH_KEYS = 88
export const SIZE_OF_AHEAD = 256
