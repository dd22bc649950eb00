/**
 * Limits how many pages are sent, so that a client that asks without pause costs the agent little and delays no probe: each
 * peer has a token bucket, and so have all peers together. Those on this machine are limited apart from the others, as
 * their connections are.
 */

export interface PageRates {
  /** Pages per second, and at once after a pause. */
  readonly perPeer: number
  readonly total: number
}

interface Bucket {
  tokens: number
  filledAt: number
}

/** Most peers that are remembered; beyond, the one that asked first is forgotten. */
const MAX_PEERS = 1024

export class PageRate {
  /** Requests that were refused. */
  refused = 0
  readonly #rates: PageRates
  readonly #now: () => number
  readonly #peers = new Map<string, Bucket>()
  readonly #totals = new Map<boolean, Bucket>()

  /** @param now milliseconds, monotonic */
  constructor(rates: PageRates, now = () => performance.now()) {
    this.#rates = rates
    this.#now = now
  }

  /** Takes a page's token of a peer. @returns whether the page may be sent; if not, that is counted */
  admit(peer: string, isLocal: boolean): boolean {
    const { perPeer, total } = this.#rates
    const all = this.#fill(this.#totals, isLocal, total)
    const own = this.#fill(this.#peers, peer, perPeer)
    if (this.#peers.size > MAX_PEERS) forgetFirst(this.#peers)
    if (all.tokens < 1 || own.tokens < 1) {
      this.refused += 1
      return false
    }
    all.tokens -= 1
    own.tokens -= 1
    return true
  }

  /** The bucket, filled up to now; a new one is full. */
  #fill<K>(buckets: Map<K, Bucket>, key: K, rate: number): Bucket {
    const now = this.#now()
    const bucket = buckets.get(key) ?? { tokens: rate, filledAt: now }
    buckets.set(key, bucket)
    bucket.tokens = Math.min(rate, bucket.tokens + ((now - bucket.filledAt) * rate) / 1000)
    bucket.filledAt = now
    return bucket
  }
}

function forgetFirst(peers: Map<string, Bucket>): void {
  for (const peer of peers.keys()) {
    peers.delete(peer)
    return
  }
}
