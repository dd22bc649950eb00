/** The real package cap in its child process, on the interface of a namespace. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { needs } from '../../../rig/needs.ts'
import { killChildren } from '../../../rig/process-tree.ts'
import { runCap } from '../../../src/capture/cap/source.ts'
import { capSource } from '../../../src/capture/cap/spec.ts'
import type { CapSource } from '../../../src/capture/worker-data.ts'
import { EXIT_RUNTIME, EXIT_USAGE, InterceptorError } from '../../../src/errors.ts'
import { withNetns } from '../../../src/sys/netns.ts'
import { COMMAND_DRAIN, COMMAND_STOP, Control } from '../../../src/thread/control.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'
import { NumberedSink, OPTIONS, RingRig, vethPair } from '../af-packet/ring-rig.ts'

const skip = needs('linux', 'root', 'ip', 'tcpreplay', 'cap')
/** A capture that does not do what it should must fail its test, not hang it. */
const TIMEOUT_MS = 30_000
/** More frames than the child's pipe holds. */
const MANY = 1000
/** Of checking the command. */
const INTERVAL_MS = 100
/** With a buffer for all of them: libpcap reserves 64 KiB of it for each frame. */
const CAP_OPTIONS = { ...OPTIONS, snapLength: 65_535, ringBytes: 24 * 1024 * 1024 }
/** By how much the kernel's time of a packet and this process's clock may differ. A wrong unit or epoch differs by far more. */
const CLOCK_MICROS = 1_000_000

/** Text of the command line of the capturing process. */
const CHILD = 'cap.child.js'

/** Also records the packet clock of idle interfaces. */
class Sink extends NumberedSink {
  readonly ticks: number[] = []

  override tick(): void {
    this.ticks.push(this.stamp.micros)
  }
}

class Rig extends RingRig {
  readonly sink = new Sink()
  readonly posted: FromWorker[] = []
  readonly control = new Control(Control.allocate())
  readonly ended: Promise<void>

  constructor(t: TestContext, source: Partial<CapSource> = {}) {
    const pair = vethPair(t)
    super(t, pair)
    const whole = { ...capSource(['eth0'], CAP_OPTIONS), ...source }
    let running = Promise.resolve()
    // Starts the child before the call returns, and therefore in this namespace.
    withNetns(pair[1].path, () => {
      running = runCap(whole, this.sink, this.control, (message) => void this.posted.push(message))
    })
    this.ended = running
    t.after(async () => {
      this.control.command = COMMAND_STOP
      await this.ended.catch(() => {})
    })
  }

  async until(what: () => boolean): Promise<void> {
    for (let turns = 0; !what(); turns++) {
      assert.ok(turns < 2000, 'waited in vain')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async started(): Promise<void> {
    await this.until(() => this.posted.length > 0)
    assert.deepEqual(this.posted, [{ t: 'log', level: 'debug', message: 'libpcap capture has started' }])
  }
}

test('cap source: a drain delivers what was captured, with interface and time, and ends', {
  skip,
  timeout: TIMEOUT_MS,
}, async (t) => {
  const interfaces = [7, 3].map((interfaceId) => ({ interfaceId, device: 'eth0' }))
  const rig = new Rig(t, { interfaces })
  await rig.started()
  const before = Date.now() * 1000
  const sent = rig.send(MANY)
  rig.control.command = COMMAND_DRAIN
  // The command is seen before the frames are read, most of which the child still has.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * INTERVAL_MS)
  await rig.ended
  const after = Date.now() * 1000
  for (const id of [7, 3]) assert.deepEqual(rig.sink.numbers(id), sent)
  assert.ok(rig.sink.frames.every(({ micros }) => micros >= before - CLOCK_MICROS && micros <= after + CLOCK_MICROS))
  assert.equal(rig.posted.length, 1)
})

test('cap source: while nothing arrives, its heart beats and the packet clock lags behind the present', {
  skip,
  timeout: TIMEOUT_MS,
}, async (t) => {
  const rig = new Rig(t)
  await rig.started()
  const beats = rig.control.heartbeat
  const from = rig.sink.ticks.length
  const before = Date.now() * 1000
  await rig.until(() => rig.sink.ticks.length >= from + 3)
  assert.ok(rig.control.heartbeat >= beats + 3)
  const lags = rig.sink.ticks.slice(from).map((micros) => micros - before)
  assert.ok(lags[0] >= -100_000 && lags[2] > lags[0] && lags[2] <= Date.now() * 1000 - before - 100_000, lags.join())
})

test('cap source: a stop ends it and its child', { skip, timeout: TIMEOUT_MS }, async (t) => {
  const rig = new Rig(t)
  await rig.started()
  rig.control.command = COMMAND_STOP
  await rig.ended
  assert.equal(killChildren(CHILD), 0)
})

const isError =
  (exitCode: number, text: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof InterceptorError)
    assert.match(error.message, text)
    return error.exitCode === exitCode
  }

test('cap source: libpcap’s errors are usage errors of the interface and of the expression', {
  skip,
  timeout: TIMEOUT_MS,
}, async (t) => {
  const device = new Rig(t, { interfaces: [{ interfaceId: 0, device: 'none0' }] })
  await assert.rejects(device.ended, isError(EXIT_USAGE, /none0: No such device/))
  const expression = new Rig(t, { filter: 'tcp prt 80' })
  await assert.rejects(expression.ended, isError(EXIT_USAGE, /eth0: .*syntax error/))
})

test('cap source: the end of the child during the run is an error', { skip, timeout: TIMEOUT_MS }, async (t) => {
  const rig = new Rig(t)
  await rig.started()
  assert.equal(killChildren(CHILD), 1)
  await assert.rejects(rig.ended, isError(EXIT_RUNTIME, /ended unexpectedly/))
})
