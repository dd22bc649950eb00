/** Frame records of a ring, as in src/ring/layout.ts. */
export const LENGTH_AT: usize = 0
export const TAG_AT: usize = 4
export const MICROS_AT: usize = 8
export const FRAME: i32 = 0
export const TICK: i32 = 3
export const FLOW_HASH_AT: usize = 16
export const INTERFACE_ID_AT: usize = 20
export const IP_OFFSET_AT: usize = 24
export const TCP_OFFSET_AT: usize = 26
export const END_OFFSET_AT: usize = 28
export const NETWORK_AT: usize = 32
export const MARK_AT: usize = 36
