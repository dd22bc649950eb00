/**
 * Which connections are objects. All others are records, which need a tenth of the memory and cost the garbage collector
 * nothing: a connection becomes an object when a segment of it arrives, and a record again once it has been at rest for
 * a while and other connections need objects.
 *
 *     record ──activate──▶ object in a slot
 *        ▲                     │ at rest, and not used since the hand last passed
 *        └───────park──────────┘
 *
 * The hand goes round the slots (second chance, or "clock", replacement). It moves only in `settle` and `victim`, so that
 * between two segments' beginnings no object changes its connection.
 */
import { Flow } from './flow.ts'
import { fitsRecord, KEPT, loadFlow, RECORD_WORDS, saveFlow, setSlot, slotOf } from './flow-record.ts'

/** Slots that one `settle` inspects. */
const LOOKS = 4
/** The index of an object that is used for no connection. */
const UNUSED = -1

/** Keeps state for connections beyond TCP's. */
export interface FlowKeeper {
  /**
   * The connection becomes a record: writes the keeper's state of it to `words` from `at` on, at most KEPT_WORDS words
   * (flow-record.ts), and drops all references to the object.
   *
   * @returns false when it does not fit, and nothing has changed
   */
  park(flow: Flow, words: Int32Array, at: number): boolean
  /** The connection becomes an object again. */
  unpark(flow: Flow, words: Int32Array, at: number): void
}

export class ActiveFlows {
  /** Set before the first segment. */
  keeper: FlowKeeper | null = null
  readonly #words: Int32Array
  readonly #slots: Flow[] = []
  readonly #spare: Flow[] = []
  readonly #resting: number
  readonly #most: number
  #hand = 0

  /**
   * @param capacity of connections; @param resting objects that may stay though their connections are at rest
   * @param most objects that there may be
   */
  constructor(capacity: number, resting: number, most: number) {
    this.#words = new Int32Array(capacity * RECORD_WORDS)
    this.#resting = resting
    this.#most = most
  }

  /** Connections that are objects. */
  get count(): number {
    return this.#slots.length - this.#spare.length
  }

  /** Whether connections have to be evicted before more become objects. */
  get crowded(): boolean {
    return this.#slots.length - this.#spare.length > this.#most
  }

  /** The object of a connection. */
  at(index: number): Flow {
    const slot = slotOf(this.#words, index * RECORD_WORDS)
    return slot >= 0 ? this.#slots[slot] : this.#activate(index)
  }

  /** An object for a new connection. */
  add(index: number): Flow {
    const flow = this.#spare.pop() ?? this.#make()
    flow.assign(index)
    setSlot(this.#words, index * RECORD_WORDS, flow.slot)
    return flow
  }

  /** The connection is removed. */
  remove(index: number): void {
    const slot = slotOf(this.#words, index * RECORD_WORDS)
    if (slot >= 0) this.#free(this.#slots[slot])
  }

  /** Makes records of some objects at rest, if there are many objects. Objects from before this call are no longer valid. */
  settle(): void {
    if (this.#slots.length - this.#spare.length <= this.#resting) return
    for (let i = 0; i < LOOKS; i++) this.#look()
  }

  /** The object to evict while `crowded`: it is not at rest, and was not used for a while. */
  victim(): Flow | null {
    while (this.crowded) {
      const flow = this.#look()
      if (flow !== null) return flow
    }
    return null
  }

  /** Makes a record of an object. @returns false when it does not fit */
  park(flow: Flow): boolean {
    const at = flow.index * RECORD_WORDS
    if (!fitsRecord(flow) || this.keeper?.park(flow, this.#words, at + KEPT) === false) return false
    saveFlow(flow, this.#words, at)
    this.#free(flow)
    return true
  }

  /** Looks at the next slot. @returns its object if it should become a record but does not fit */
  #look(): Flow | null {
    const flow = this.#slots[this.#hand]
    this.#hand = this.#hand + 1 === this.#slots.length ? 0 : this.#hand + 1
    if (flow.index === UNUSED) return null
    if (!flow.recent) return this.park(flow) ? null : flow
    flow.recent = false
    return null
  }

  #activate(index: number): Flow {
    const at = index * RECORD_WORDS
    const flow = this.#spare.pop() ?? this.#make()
    flow.assign(index)
    loadFlow(flow, this.#words, at)
    this.keeper?.unpark(flow, this.#words, at + KEPT)
    setSlot(this.#words, at, flow.slot)
    return flow
  }

  #make(): Flow {
    const flow = new Flow(this.#slots.length)
    this.#slots.push(flow)
    return flow
  }

  #free(flow: Flow): void {
    flow.assign(UNUSED)
    this.#spare.push(flow)
  }
}
