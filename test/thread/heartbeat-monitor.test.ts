import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Control } from '../../src/thread/control.ts'
import { HeartbeatMonitor } from '../../src/thread/heartbeat-monitor.ts'

test('HeartbeatMonitor: measures the time since the heartbeat was last seen to change', () => {
  const control = new Control(Control.allocate())
  const monitor = new HeartbeatMonitor([control], 0)
  assert.deepEqual(
    [100, 200, 300].map((ms) => monitor.silentMs(ms)),
    [100, 200, 300],
  )
  control.beat()
  assert.deepEqual(
    [400, 450].map((ms) => monitor.silentMs(ms)),
    [0, 50],
  )
})

test('HeartbeatMonitor: a pause between two calls counts up to half a second', () => {
  const monitor = new HeartbeatMonitor([new Control(Control.allocate())], 0)
  assert.equal(monitor.silentMs(60_000), 500)
  assert.equal(monitor.silentMs(60_100), 600)
})

test('HeartbeatMonitor: a thread is silent only while all of its workers are', () => {
  const [one, other] = [new Control(Control.allocate()), new Control(Control.allocate())]
  const monitor = new HeartbeatMonitor([one, other], 0)
  assert.equal(monitor.silentMs(100), 100)
  other.beat()
  assert.equal(monitor.silentMs(200), 0)
  assert.equal(monitor.silentMs(300), 100)
})

test('HeartbeatMonitor: a system call that may take any time is no silence', () => {
  const control = new Control(Control.allocate())
  const monitor = new HeartbeatMonitor([control], 0)
  assert.equal(monitor.silentMs(400), 400)
  control.whileBlocked(() => assert.equal(monitor.silentMs(800), 0))
  assert.equal(monitor.silentMs(900), 100)
  assert.throws(() => control.whileBlocked(() => assert.fail('an I/O error')), /I\/O error/)
  assert.equal(control.isBlocked, false)
})

test('HeartbeatMonitor: starts over for a new thread', () => {
  const monitor = new HeartbeatMonitor([new Control(Control.allocate())], 0)
  monitor.silentMs(400)
  monitor.reset(1000)
  assert.equal(monitor.silentMs(1050), 50)
})

test('HeartbeatMonitor: agrees with a clock that counts only while the heartbeat does not advance', () => {
  const step = fc.record({ ms: fc.nat(2000), beats: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
      const control = new Control(Control.allocate())
      const monitor = new HeartbeatMonitor([control], 0)
      let [now, silent] = [0, 0]
      for (const { ms, beats } of steps) {
        now += ms
        if (beats) control.beat()
        silent = beats ? 0 : silent + Math.min(ms, 500)
        assert.equal(monitor.silentMs(now), silent)
      }
    }),
  )
})
