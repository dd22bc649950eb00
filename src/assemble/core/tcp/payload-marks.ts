/**
 * Marks flows that carry no HTTP/1, of whose segments only the numbers are needed, so that live capture leaves their
 * payload out of the frame ring. The marks are in memory that is shared with the capture worker
 * (src/ring/opaque-marks.ts): the host's.
 */
import { hostErase, hostMark } from '../host'
import { Flow, PROTOCOL_OPAQUE, streamOf } from './flow'
import { otherSynSeen } from './handshake'

class Marks {
  static present: bool = false
}

/** @param present whether the producer of the ring that the segments come from may leave payload out */
export function setMarks(present: bool): void {
  Marks.present = present
}

/** Whether a segment of the flow that is neither SYN nor RST is understood without its payload. */
export function needsNoPayload(flow: Flow): bool {
  if (flow.protocol !== PROTOCOL_OPAQUE || flow.closed) return false
  return !otherSynSeen(streamOf(flow, 0)) && !otherSynSeen(streamOf(flow, 1))
}

/**
 * Marks the flow if none of its payload is needed from here on. One that is ending is not marked: what follows its FINs
 * may be another connection's.
 *
 * @param ip, tcp addresses of the segment's headers; @param mark the record's word MARK_AT
 */
export function notePayload(
  flow: Flow,
  ip: usize,
  tcp: usize,
  interfaceId: i32,
  network: i32,
  hash: i32,
  mark: i32,
): void {
  if (!Marks.present || mark < 0 || !needsNoPayload(flow)) return
  if (streamOf(flow, 0).ended || streamOf(flow, 1).ended) return
  hostMark(ip, tcp, interfaceId, network, hash, mark)
}

/** Payload that is needed was left out: the flow has been closed, or evicted, since it was marked. */
export function erasePayloadMark(hash: i32): void {
  if (Marks.present) hostErase(hash)
}
