import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OutputFlags } from '../../src/cli/options.ts'
import { chooseSink, outputOptions, type SinkName } from '../../src/cli/output.ts'
import { wantsColor } from '../../src/cli/terminal.ts'
import type { FlagValue } from '../../src/config/layers.ts'
import { loadConfig } from '../../src/config/load.ts'

const flags = (given: Partial<OutputFlags> = {}): OutputFlags => ({
  decode: true,
  color: 'auto',
  progress: 'auto',
  ...given,
})
const set = (path: string, value: string): FlagValue => ({ path, value, name: '--set' })
const BROKERS = set('kafka.brokers', 'a:1')

const sinks: [string, Partial<OutputFlags>, FlagValue[], SinkName][] = [
  ['no option', {}, [], 'stdout'],
  ['brokers in the configuration alone', {}, [BROKERS], 'kafka'],
  ['brokers, and ship.sink stdout', {}, [BROKERS, set('ship.sink', 'stdout')], 'stdout'],
  ['--brokers', { brokers: 'a:1' }, [BROKERS], 'kafka'],
  ['--topic, brokers in the configuration', { topic: 't' }, [BROKERS], 'kafka'],
  ['-o', { output: 'json' }, [BROKERS], 'stdout'],
  ['-o over ship.sink', { output: 'json' }, [BROKERS, set('ship.sink', 'kafka')], 'stdout'],
  ['-o none', { output: 'none' }, [], 'none'],
  ['-o none with --brokers', { output: 'none', brokers: 'a:1' }, [BROKERS], 'kafka'],
  ['-o none with -w', { output: 'none', write: 'x' }, [], 'none'],
  ['-w', { write: 'x' }, [], 'file'],
  ['-w -', { write: '-' }, [], 'stdout'],
  ['ship.sink kafka', {}, [BROKERS, set('ship.sink', 'kafka')], 'kafka'],
  ['ship.sink file', {}, [set('ship.sink', 'file'), set('ship.file', 'x')], 'file'],
  ['ship.sink none', {}, [set('ship.sink', 'none')], 'none'],
]

for (const [title, given, values, sink] of sinks) {
  test(`chooseSink: ${title}: ${sink}`, () => {
    assert.equal(chooseSink(flags(given), loadConfig({ env: {}, flags: values })), sink)
  })
}

test('chooseSink: rejects printing and shipping at once', () => {
  const loaded = loadConfig({ env: {}, flags: [BROKERS] })
  assert.throws(() => chooseSink(flags({ output: 'text', brokers: 'a:1' }), loaded), /not both/)
  assert.throws(() => chooseSink(flags({ write: 'x', topic: 't' }), loaded), /not both/)
})

test('chooseSink: rejects --format if nothing is shipped to Kafka', () => {
  const given = { ...flags(), format: 'json' }
  assert.throws(() => chooseSink(given, loadConfig({ env: {} })), /choose the format of printed pairs with -o/)
  assert.equal(chooseSink(given, loadConfig({ env: {}, flags: [BROKERS] })), 'kafka')
})

const NO_TERMINAL = { isTerminal: false, columns: null }
const TERMINAL = { isTerminal: true, columns: 120 }

test('outputOptions: colours and truncates text on a terminal only', () => {
  const loaded = loadConfig({ env: {} })
  const { color: _, ...plain } = outputOptions(flags({ verbose: 1 }), 'stdout', loaded, NO_TERMINAL)
  assert.deepEqual(plain, { format: 'text', file: null, append: false, decode: true, width: null, verbose: true })
  const seen = outputOptions(flags({ color: 'always' }), 'stdout', loaded, TERMINAL)
  assert.deepEqual([seen.width, seen.color], [120, true])
  assert.equal(outputOptions(flags({ write: 'x' }), 'file', loaded, TERMINAL).width, null)
})

test('outputOptions: passes --body on with text, and rejects it otherwise', () => {
  const loaded = loadConfig({ env: {}, flags: [BROKERS] })
  const { verbose, bodyRows } = outputOptions(flags({ body: 7 }), 'stdout', loaded, NO_TERMINAL)
  assert.deepEqual({ verbose, bodyRows }, { verbose: true, bodyRows: 7 })
  assert.throws(() => outputOptions(flags({ body: 7, output: 'json' }), 'stdout', loaded, NO_TERMINAL), /-o text/)
  assert.throws(() => outputOptions(flags({ body: 7 }), 'kafka', loaded, NO_TERMINAL), /-o text/)
})

test('outputOptions: rejects msgpack on a terminal', () => {
  const loaded = loadConfig({ env: {} })
  assert.throws(() => outputOptions(flags({ output: 'msgpack' }), 'stdout', loaded, TERMINAL), /-w FILE/)
  assert.equal(outputOptions(flags({ output: 'msgpack' }), 'stdout', loaded, NO_TERMINAL).format, 'msgpack')
})

test('outputOptions: uses format and decoding of a configured file from ship.format and ship.decode', () => {
  const values = [set('ship.sink', 'file'), set('ship.file', '/tmp/x'), set('ship.format', 'json')]
  const options = outputOptions(flags(), 'file', loadConfig({ env: {}, flags: values }), NO_TERMINAL)
  assert.deepEqual([options.format, options.file, options.decode], ['ndjson', '/tmp/x', false])
})

test('wantsColor: decides auto by the terminal, NO_COLOR, TERM and FORCE_COLOR', () => {
  assert.equal(wantsColor('auto', true, {}), true)
  assert.equal(wantsColor('auto', false, {}), false)
  assert.equal(wantsColor('auto', true, { NO_COLOR: '1' }), false)
  assert.equal(wantsColor('auto', true, { TERM: 'dumb' }), false)
  assert.equal(wantsColor('auto', false, { FORCE_COLOR: '1' }), true)
  assert.equal(wantsColor('always', false, { NO_COLOR: '1' }), true)
  assert.equal(wantsColor('never', true, { FORCE_COLOR: '1' }), false)
})
