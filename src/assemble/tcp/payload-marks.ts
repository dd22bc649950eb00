/**
 * Marks flows that carry no HTTP/1, of whose segments only the numbers are needed, so that live capture leaves their payload out of the
 * frame ring (ring/opaque-marks.ts).
 */
import { connectionCheck, type OpaqueMarks } from '../../ring/opaque-marks.ts'
import { FLOW_OPEN, type Flow, PROTOCOL_OPAQUE } from './flow.ts'

/** Whether a segment of the flow that is neither SYN nor RST is understood without its payload. */
export const needsNoPayload = ({ protocol, state, streams: [a, b] }: Flow): boolean =>
  protocol === PROTOCOL_OPAQUE && state === FLOW_OPEN && !a.otherSynSeen && !b.otherSynSeen

export class PayloadMarks {
  /** Of the ring that the segments come from; null: its producer leaves no payload out. */
  table: OpaqueMarks | null = null

  /**
   * Marks the flow if none of its payload is needed from here on. One that is ending is not marked: what follows its FINs may be another
   * connection's.
   *
   * @param ip, tcp addresses of the segment's headers in `view`
   * @param generation of the segment's record (MARK_AT in ring/layout.ts)
   */
  note(
    flow: Flow,
    view: DataView,
    ip: number,
    tcp: number,
    interfaceId: number,
    network: number,
    hash: number,
    generation: number,
  ): void {
    const { table } = this
    if (table === null || generation < 0 || !needsNoPayload(flow) || table.isMarked(hash, generation)) return
    const [a, b] = flow.streams
    if (a.ended || b.ended) return
    table.mark(hash, connectionCheck(view, ip, tcp, interfaceId, network), generation)
  }

  /** Payload that is needed was left out: the flow has been closed, or evicted, since it was marked. */
  erase(hash: number): void {
    this.table?.erase(hash)
  }
}
