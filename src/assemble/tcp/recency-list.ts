import type { Flow } from './flow.ts'

/** Flows in order of their last move, linked through the flows themselves. A flow is in at most one list. */
export class RecencyList {
  newest: Flow | null = null
  oldest: Flow | null = null

  /** Puts a flow that is in no list in front. */
  push(flow: Flow): void {
    flow.older = this.newest
    flow.newer = null
    if (this.newest !== null) this.newest.newer = flow
    else this.oldest = flow
    this.newest = flow
  }

  unlink(flow: Flow): void {
    if (flow.newer !== null) flow.newer.older = flow.older
    else this.newest = flow.older
    if (flow.older !== null) flow.older.newer = flow.newer
    else this.oldest = flow.newer
    flow.newer = null
    flow.older = null
  }
}
