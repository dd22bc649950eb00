/** Frame records, as in src/ring/layout.ts, for the programs that write and read them. */
export const LENGTH_AT: usize = 0
export const TAG_AT: usize = 4
export const MICROS_AT: usize = 8
export const FRAME: i32 = 0
export const TICK: i32 = 3
export const PLACED: i32 = 5
export const FLOW_HASH_AT: usize = 16
export const INTERFACE_ID_AT: usize = 20
export const IP_OFFSET_AT: usize = 24
export const TCP_OFFSET_AT: usize = 26
export const END_OFFSET_AT: usize = 28
export const NETWORK_AT: usize = 32
export const MARK_AT: usize = 36
export const PLACED_IP_AT: usize = 24
export const PLACED_TCP_AT: usize = 28
export const PLACED_END_AT: usize = 32
export const PLACED_NETWORK_AT: usize = 36
export const PLACED_BYTES: usize = 40

/** Whether records of this tag are frames. */
export function isFrame(tag: i32): bool {
  return tag === FRAME || tag === PLACED
}

/** Address of a frame's IP header. */
export function ipOf(at: usize, isPlaced: bool): usize {
  return isPlaced ? load<usize>(at, PLACED_IP_AT) : at + load<u16>(at, IP_OFFSET_AT)
}

/** Address of a frame's TCP header. */
export function tcpOf(at: usize, isPlaced: bool): usize {
  return isPlaced ? load<usize>(at, PLACED_TCP_AT) : at + load<u16>(at, TCP_OFFSET_AT)
}
