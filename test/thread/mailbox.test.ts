import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { Control } from '../../src/thread/control.ts'
import { Mailbox } from '../../src/thread/mailbox.ts'

test('Mailbox: delivers announced messages once, in order', (t) => {
  const control = new Control(Control.allocate())
  const { port1, port2 } = new MessageChannel()
  t.after(() => port1.close())
  const mail = new Mailbox<number>(port2, control)
  const got: number[] = []
  const read = (): void => mail.read((message) => got.push(message))
  read()
  port1.postMessage(1)
  port1.postMessage(2)
  read()
  assert.deepEqual(got, [], 'not announced: not looked for')
  control.announceMail()
  assert.ok(control.hasMail)
  read()
  read()
  assert.deepEqual(got, [1, 2])
  assert.ok(!control.hasMail)
  port1.postMessage(3)
  control.announceMail()
  read()
  assert.deepEqual(got, [1, 2, 3])
})
