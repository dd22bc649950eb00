/** Applies the user's BPF expression to frames of capture files before they are decoded. Capture worker's thread. */

import { isReadable, LINKTYPE_PKTAP, pktapFrame, pktapLinkType } from '../wire/link.ts'
import { describeLinkType, dltOf } from '../wire/link-types.ts'
import { BpfProgram } from './bpf-program.ts'
import { compileForFile } from './expression.ts'

/** Decides which frames are wanted. */
export interface FrameFilter {
  /**
   * @param start first byte of the link-layer header; @param end one past the last captured byte
   * @param wireLength bytes that the frame had on the wire; @param linkType a LINKTYPE_ value
   * @throws InterceptorError (EXIT_USAGE) if the filter cannot be applied to frames of this link type
   */
  accepts(view: DataView, start: number, end: number, wireLength: number, linkType: number): boolean
}

/** An expression, compiled for each link type that occurs. */
export class ExpressionFilter implements FrameFilter {
  readonly #expression: string
  readonly #programs = new Map<number, BpfProgram>()
  /** Cache for the previous frame's link type, since most files have only one. */
  #linkType = -1
  #program: BpfProgram | null = null

  constructor(expression: string) {
    this.#expression = expression
  }

  /** Frames of unreadable link types pass, and are counted and reported as unreadable later. */
  accepts(view: DataView, start: number, end: number, wireLength: number, linkType: number): boolean {
    if (linkType === LINKTYPE_PKTAP) {
      const frame = pktapFrame(view, start, end)
      // libpcap has no filters for PKTAP, so the filter is applied to the frame in the record.
      return frame < 0 || this.accepts(view, frame, end, wireLength - (frame - start), pktapLinkType(view, start))
    }
    if (linkType !== this.#linkType) this.#use(linkType)
    return this.#program === null || this.#program.run(view, start, end, wireLength) !== 0
  }

  #use(linkType: number): void {
    let program: BpfProgram | null = null
    if (isReadable(linkType)) {
      program =
        this.#programs.get(linkType) ??
        new BpfProgram(compileForFile(this.#expression, dltOf(linkType), describeLinkType(linkType)))
      this.#programs.set(linkType, program)
    }
    this.#program = program
    this.#linkType = linkType
  }
}
