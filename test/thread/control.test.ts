import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMMAND_DRAIN, COMMAND_RUN, COMMAND_STOP, Control } from '../../src/thread/control.ts'

test('Control: each side reads what the other one writes', () => {
  const shared = Control.allocate()
  const [main, worker] = [new Control(shared), new Control(shared)]
  assert.deepEqual([worker.command, worker.running, main.heartbeat], [COMMAND_RUN, true, 0])
  for (const command of [COMMAND_DRAIN, COMMAND_STOP]) {
    main.command = command
    assert.deepEqual([worker.command, worker.running], [command, false])
  }
  worker.beat()
  worker.beat()
  assert.equal(main.heartbeat, 2)
})

test('Control: passes the CPU quota in thousandths of a CPU', () => {
  const control = new Control(Control.allocate())
  assert.equal(control.cpuQuota, 0)
  control.cpuQuota = 0.2
  assert.equal(control.cpuQuota, 0.2)
})
