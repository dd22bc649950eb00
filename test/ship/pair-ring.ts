/** A pair ring with both of its ends, for tests that write and read it in one thread. */
import { allocateRing, FULL, RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { PAIR_FIELDS_BYTES } from '../../src/ring/layout.ts'

export class PairRing {
  readonly consumer: RingConsumer
  readonly #producer: RingProducer

  constructor(bytes = 64 * 1024) {
    const shared = allocateRing(bytes)
    this.#producer = new RingProducer(shared, new Doorbell(Doorbell.allocate()))
    this.consumer = new RingConsumer(shared, null)
  }

  /**
   * Writes and publishes a pair.
   *
   * @param number determines its connection, server and time @returns false where there is no room
   */
  put(number: number, pair: Uint8Array): boolean {
    const producer = this.#producer
    const at = producer.tryClaim(PAIR_FIELDS_BYTES + pair.length)
    if (at === FULL) return false
    const word = at >> 2
    producer.words[word + 1] = number
    producer.doubles[(at >> 3) + 1] = number * 1000
    producer.words[word + 4] = pair.length
    producer.words[word + 5] = PAIR_FIELDS_BYTES
    producer.words[word + 6] = ~number
    producer.bytes.set(pair, at + PAIR_FIELDS_BYTES)
    producer.commit()
    producer.flush()
    return true
  }
}
