import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger, type LoggerOptions } from '../../src/log/logger.ts'

function logger(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const clock = { time: 0 }
  const log = createLogger({
    level: 'info',
    form: 'lines',
    write: (line) => lines.push(line),
    now: () => clock.time,
    foldMs: 1000,
    ...options,
  })
  return { log, lines, clock }
}

test('log: plain lines name what is not information, and fields follow', () => {
  const { log, lines } = logger()
  log.info('capturing', { interface: 'eth0', workers: 2 })
  log.warn('broker away')
  log.error('no', { list: [1] })
  log.debug('hidden')
  assert.deepEqual(lines, [
    'capturing (interface=eth0, workers=2)\n',
    'warning: broker away\n',
    'error: no (list=[1])\n',
  ])
})

test('log: JSON lines carry level, time and fields', () => {
  const { log, lines } = logger({ form: 'json' })
  log.warn('broker away', { broker: 'a:1' })
  const record = JSON.parse(lines[0])
  assert.deepEqual([record.level, record.msg, record.broker, typeof record.time], [40, 'broker away', 'a:1', 'number'])
})

test('log: silent writes nothing, debug everything', () => {
  const silent = logger({ level: 'silent' })
  silent.log.error('x')
  assert.deepEqual(silent.lines, [])
  const debug = logger({ level: 'debug' })
  debug.log.log('debug', 'posted by a worker')
  assert.deepEqual(debug.lines, ['debug: posted by a worker\n'])
})

test('log: repeats within the period are held back and counted', () => {
  const { log, lines, clock } = logger()
  for (clock.time = 0; clock.time < 900; clock.time += 100) log.warn('broker away', { tries: clock.time })
  assert.deepEqual(lines, ['warning: broker away (tries=0)\n'])
  clock.time = 1000
  log.warn('broker away', { tries: 1000 })
  assert.deepEqual(lines.slice(1), [
    'warning: broker away (tries=800, repeated=8)\n',
    'warning: broker away (tries=1000)\n',
  ])
})

test('log: records that differ in a text are no repeats', () => {
  const { log, lines } = logger()
  log.warn('interface lost', { interface: 'eth0' })
  log.warn('interface lost', { interface: 'eth1' })
  assert.equal(lines.length, 2)
})

test('log: flush writes what was held back, once', () => {
  const { log, lines } = logger()
  for (let i = 0; i < 3; i++) log.warn('again')
  log.flush()
  log.flush()
  assert.deepEqual(lines, ['warning: again\n', 'warning: again (repeated=2)\n'])
})

test('log: many kinds of messages are bounded, and none is lost', () => {
  const { log, lines } = logger()
  for (let i = 0; i < 1000; i++) {
    log.warn(`kind ${i}`)
    log.warn(`kind ${i}`)
  }
  log.flush()
  assert.equal(lines.length, 2000)
})

test('log: of one message only so many a period are written, whatever their texts, and the rest is counted', () => {
  const { log, lines, clock } = logger()
  for (let i = 0; i < 1000; i++) log.warn('pod gone', { pod: `shop-${i}` })
  assert.equal(lines.length, 50)
  log.warn('something else')
  assert.equal(lines.length, 51)
  clock.time = 1000
  log.warn('pod gone', { pod: 'shop-1000' })
  assert.deepEqual(lines.slice(51), [
    'warning: pod gone (pod=shop-999, alike=950)\n',
    'warning: pod gone (pod=shop-1000)\n',
  ])
})

test('log: the level can change while it runs', () => {
  const { log, lines } = logger()
  log.setLevel('debug')
  log.debug('shown')
  log.setLevel('error')
  log.warn('hidden')
  log.setLevel('info')
  log.info('shown again')
  assert.deepEqual(lines, ['debug: shown\n', 'shown again\n'])
})
