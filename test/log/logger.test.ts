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

test('logger: plain lines name every level except info, and end with the fields', () => {
  const { log, lines } = logger()
  log.info('capturing', { interface: 'eth0', workers: 2 })
  log.warn('broker unreachable')
  log.error('no', { list: [1] })
  log.debug('hidden')
  assert.deepEqual(lines, [
    'capturing (interface=eth0, workers=2)\n',
    'warning: broker unreachable\n',
    'error: no (list=[1])\n',
  ])
})

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

test('logger: JSON lines contain the level as a word, an ISO 8601 time and the fields', () => {
  const { log, lines } = logger({ form: 'json', level: 'debug' })
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    log[level]('broker unreachable', { broker: 'a:1' })
    const record = JSON.parse(lines.pop()!)
    assert.deepEqual([record.level, record.msg, record.broker], [level, 'broker unreachable', 'a:1'])
    assert.match(record.time, ISO_TIME)
    assert.ok(Math.abs(Date.parse(record.time) - Date.now()) < 60_000)
  }
})

test('logger: plain lines of a service begin with time and level', () => {
  const { log, lines } = logger({ times: true })
  log.info('capturing', { interface: 'eth0' })
  log.warn('broker unreachable')
  const [[time, info], [, warn]] = lines.map((line) => [line.slice(0, 24), line.slice(24)])
  assert.match(time, ISO_TIME)
  assert.deepEqual([info, warn], [' info  capturing (interface=eth0)\n', ' warn  broker unreachable\n'])
})

test('logger: colours only the level', () => {
  const { log, lines } = logger({ color: true })
  log.info('plain')
  log.error('red')
  assert.deepEqual(lines, ['plain\n', '\x1b[31merror: \x1b[0mred\n'])
})

test('logger: silent writes nothing, and debug everything', () => {
  const silent = logger({ level: 'silent' })
  silent.log.error('x')
  assert.deepEqual(silent.lines, [])
  const debug = logger({ level: 'debug' })
  debug.log.log('debug', 'posted by a worker')
  assert.deepEqual(debug.lines, ['debug: posted by a worker\n'])
})

test('logger: suppresses repeats within the period, and writes their number with the next one', () => {
  const { log, lines, clock } = logger()
  for (clock.time = 0; clock.time < 900; clock.time += 100) log.warn('broker unreachable', { tries: clock.time })
  assert.deepEqual(lines, ['warning: broker unreachable (tries=0)\n'])
  clock.time = 1000
  log.warn('broker unreachable', { tries: 1000 })
  assert.deepEqual(lines.slice(1), ['warning: broker unreachable (tries=1000, repeated=8)\n'])
})

test('logger: records that differ in a text are not repeats', () => {
  const { log, lines } = logger()
  log.warn('interface lost', { interface: 'eth0' })
  log.warn('interface lost', { interface: 'eth1' })
  assert.equal(lines.length, 2)
})

test('logger: flush writes suppressed records once', () => {
  const { log, lines } = logger()
  for (let i = 0; i < 3; i++) log.warn('again')
  log.flush()
  log.flush()
  assert.deepEqual(lines, ['warning: again\n', 'warning: again (repeated=2)\n'])
})

test('logger: remembers a bounded number of messages, and loses none', () => {
  const { log, lines } = logger()
  for (let i = 0; i < 1000; i++) {
    log.warn(`kind ${i}`)
    log.warn(`kind ${i}`)
  }
  log.flush()
  assert.equal(lines.length, 2000)
})

test('logger: writes a bounded number of records of one message per period, and counts the rest', () => {
  const { log, lines, clock } = logger()
  for (let i = 0; i < 1000; i++) log.warn('pod gone', { pod: `shop-${i}` })
  assert.equal(lines.length, 50)
  log.warn('something else')
  assert.equal(lines.length, 51)
  clock.time = 1000
  log.warn('pod gone', { pod: 'shop-1000' })
  assert.deepEqual(lines.slice(51), ['warning: pod gone (pod=shop-1000, alike=950)\n'])
})

test('logger: the level can change during a run', () => {
  const { log, lines } = logger()
  log.setLevel('debug')
  log.debug('shown')
  log.setLevel('error')
  log.warn('hidden')
  log.setLevel('info')
  log.info('shown again')
  assert.deepEqual(lines, ['debug: shown\n', 'shown again\n'])
})
