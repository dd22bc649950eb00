import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorOfCode } from '../../../src/kafka/kafkajs-internals.ts'
import { FoldedLog } from '../../../src/log/folded-log.ts'
import { PartOutages } from '../../../src/ship/kafka/part-outages.ts'

const PERIOD_MS = 600_000
const NOT_ENOUGH_REPLICAS = 19

function started(): { parts: PartOutages; lines: unknown[]; at: (seconds: number) => void } {
  const lines: unknown[] = []
  let nowMs = 0
  const log = new FoldedLog(({ message, fields }) => lines.push([message, fields]), { periodMs: 0 })
  const at = (seconds: number): void => {
    nowMs = seconds * 1000
  }
  return { parts: new PartOutages(log, () => nowMs, PERIOD_MS), lines, at }
}

test('part outages: logs one failing broker of several once, again after the period, and when it responds', () => {
  const { parts, lines, at } = started()
  const texts = ['Closed connection', 'connect ECONNREFUSED 127.0.0.1:1', 'Connection timeout']
  for (let second = 0; second <= 600; second += 1) {
    at(second)
    parts.brokerFailed(2, new Error(texts[second % texts.length]))
    parts.brokerResponded(1)
  }
  parts.brokerResponded(2)
  parts.brokerResponded(2)
  assert.deepEqual(lines, [
    ['broker 2 does not accept pairs: the broker closed the connection', {}],
    ['broker 2 does not accept pairs: the broker closed the connection', { repeated: 599 }],
    ['broker 2 responds again', { afterSeconds: 600 }],
  ])
})

test('part outages: logs a rejection of several partitions once, until the last of them is accepted', () => {
  const { parts, lines, at } = started()
  for (let second = 0; second < 60; second += 1) {
    at(second)
    for (const partition of [0, 1, 2]) {
      parts.partitionRefused(partition, NOT_ENOUGH_REPLICAS, errorOfCode(NOT_ENOUGH_REPLICAS))
    }
    parts.partitionAccepted(3)
  }
  for (const partition of [2, 0, 0, 1, 1]) parts.partitionAccepted(partition)
  const [[first], ...rest] = lines as [string, unknown][]
  assert.match(first, /^Kafka does not accept pairs now: /)
  assert.deepEqual(rest, [['Kafka accepts the pairs of all partitions again', { afterSeconds: 59 }]])
})

test('part outages: logs no end of an outage that an outage of the cluster has replaced', () => {
  const { parts, lines } = started()
  parts.brokerFailed(2, new Error('Closed connection'))
  parts.partitionRefused(0, NOT_ENOUGH_REPLICAS, errorOfCode(NOT_ENOUGH_REPLICAS))
  parts.reset()
  parts.brokerResponded(2)
  parts.partitionAccepted(0)
  assert.equal(lines.length, 2)
})
