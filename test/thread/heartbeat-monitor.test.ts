import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Control } from '../../src/thread/control.ts'
import { HeartbeatMonitor } from '../../src/thread/heartbeat-monitor.ts'

test('HeartbeatMonitor: measures the time since the heartbeat was last seen to change', () => {
  const control = new Control(Control.allocate())
  const monitor = new HeartbeatMonitor(control, 0)
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
  const monitor = new HeartbeatMonitor(new Control(Control.allocate()), 0)
  assert.equal(monitor.silentMs(60_000), 500)
  assert.equal(monitor.silentMs(60_100), 600)
})

test('HeartbeatMonitor: starts over for a new thread', () => {
  const monitor = new HeartbeatMonitor(new Control(Control.allocate()), 0)
  monitor.silentMs(400)
  monitor.reset(1000)
  assert.equal(monitor.silentMs(1050), 50)
})

test('HeartbeatMonitor: agrees with a clock that counts only while the heartbeat does not advance', () => {
  const step = fc.record({ ms: fc.nat(2000), beats: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
      const control = new Control(Control.allocate())
      const monitor = new HeartbeatMonitor(control, 0)
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
