import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { Control } from '../../src/thread/control.ts'
import { CpuTimeRecorder, threadCpuSeconds } from '../../src/thread/cpu-time.ts'

const skip = needs('linux')

function burn(ms: number): void {
  const until = process.cpuUsage().user + ms * 1000
  while (process.cpuUsage().user < until) Math.sqrt(Math.random())
}

test('threadCpuSeconds: grows with the work, and never exceeds that of the process', { skip }, () => {
  const before = threadCpuSeconds()!
  burn(200)
  const used = threadCpuSeconds()! - before
  assert.ok(used >= 0.05, `${used}`)
  const { user, system } = process.cpuUsage()
  assert.ok(threadCpuSeconds()! <= (user + system) / 1e6 + 0.05)
})

test('CpuTimeRecorder: records into the control block every five seconds', { skip }, () => {
  const control = new Control(Control.allocate())
  assert.equal(control.cpuSeconds, null)
  const recorder = new CpuTimeRecorder(control)
  recorder.update(10_000)
  const noted = control.cpuSeconds!
  assert.ok(noted > 0)
  burn(50)
  recorder.update(14_999)
  assert.equal(control.cpuSeconds, noted)
  recorder.update(15_000)
  assert.ok(control.cpuSeconds > noted)
})
