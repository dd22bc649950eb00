import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PairRingRoom } from '../../src/assemble/pair-ring-room.ts'
import { allocateRing, FULL, RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { COMMAND_STOP, Control } from '../../src/thread/control.ts'

const RING_BYTES = 4096
const HALF = RING_BYTES / 2

/** Empties the ring instead of sleeping. */
class EmptyingBell extends Doorbell {
  waits = 0
  empties = true
  readonly #consumer: RingConsumer
  readonly #control: Control

  constructor(consumer: RingConsumer, control: Control) {
    super(Doorbell.allocate())
    this.#consumer = consumer
    this.#control = control
  }

  override wait(): void {
    this.waits += 1
    if (this.empties) this.#consumer.release(this.#consumer.peek(new Uint8Array(RING_BYTES), RING_BYTES))
    else if (this.waits === 3) this.#control.command = COMMAND_STOP
  }
}

function make(whenFull: 'wait' | 'drop') {
  const shared = allocateRing(RING_BYTES)
  const control = new Control(Control.allocate())
  const bell = new EmptyingBell(new RingConsumer(shared, null), control)
  const ring = new RingProducer(shared, new Doorbell(Doorbell.allocate()))
  const fill = (): void => {
    for (let i = 0; i < 2; i += 1) {
      assert.notEqual(ring.tryClaim(HALF), FULL)
      ring.commit()
    }
  }
  return { room: new PairRingRoom(ring, whenFull, bell, control), control, bell, fill }
}

test('pair ring room: live capture does not wait', () => {
  const { room, bell, fill } = make('drop')
  fill()
  assert.deepEqual([room.claim(64), room.tryClaim(64), bell.waits], [FULL, FULL, 0])
})

test('pair ring room: files wait until what is in the ring has been read, with a heartbeat', () => {
  const { room, control, bell, fill } = make('wait')
  fill()
  assert.equal(room.tryClaim(64), FULL)
  const before = control.heartbeat
  assert.notEqual(room.claim(64), FULL)
  assert.deepEqual([bell.waits, control.heartbeat], [1, before + 1])
})

test('pair ring room: nothing is claimed after the command to stop', () => {
  const { room, bell, fill } = make('wait')
  bell.empties = false
  fill()
  assert.deepEqual([room.claim(64), bell.waits], [FULL, 3])
})
