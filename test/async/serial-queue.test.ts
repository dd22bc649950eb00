import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SerialQueue } from '../../src/async/serial-queue.ts'

test('SerialQueue: runs tasks in order and returns what they return', async () => {
  const queue = new SerialQueue()
  const order: number[] = []
  const results = await Promise.all([1, 2, 3].map((n) => queue.run(() => order.push(n))))
  assert.deepEqual(
    [order, results],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  )
})

test('SerialQueue: yields to the event loop between two tasks', async () => {
  const queue = new SerialQueue()
  const events: string[] = []
  const tasks = ['a', 'b', 'c'].map((name) =>
    queue.run(() => {
      events.push(name)
      setImmediate(() => events.push(`after ${name}`))
    }),
  )
  await Promise.all(tasks)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(events, ['a', 'after a', 'b', 'after b', 'c', 'after c'])
})

test('SerialQueue: runs tasks that are added by a task, or after the queue was empty', async () => {
  const queue = new SerialQueue()
  let inner: Promise<string> | null = null
  await queue.run(() => {
    inner = queue.run(() => 'inner')
  })
  assert.equal(await inner, 'inner')
  assert.equal(await queue.run(() => 'later'), 'later')
})
