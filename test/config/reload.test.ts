import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configKeys } from '../../src/config/keys.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { planReload } from '../../src/config/reload.ts'

const load = (settings: Record<string, string>): LoadedConfig =>
  loadConfig({ env: {}, flags: Object.entries(settings).map(([path, value]) => ({ path, value, name: '--set' })) })

/** Another valid value of each key, with other keys that it needs. */
const OTHER: Record<string, string> = {
  'node.name': 'other',
  'capture.source': 'cap',
  'capture.snapLength': '1024',
  'ship.sink': 'none',
  'ship.format': 'json',
  'kafka.topic': 'other',
  'kafka.acks': 'all',
  'kafka.compression': 'gzip',
  'kafka.partitionBy': 'server',
  'targets.keep': 'both',
  'targets.clusterNetworks': '10.0.0.0/8',
  'targets.excludePorts': '9999',
  'filter.contentTypes': 'text/html',
  'filter.statuses': '204',
  'filter.paths': '/other',
  'filter.include.paths': '/other',
  'filter.include.statuses': '204',
  'priority.scheduler': 'idle',
  'priority.io': 'normal',
  'log.level': 'warn',
  'admin.address': ':1',
  'tap.socket': '/run/other.sock',
  'capture.tunnels': 'gre',
  'capture.warmUp': 'false',
  'limits.messageBytes': '2KiB',
  'limits.pairBytes': '2KiB',
  'limits.memory': '512MiB',
  'limits.flows': '100',
  'ship.bufferBytes': '32MiB',
  'ship.batchBytes': '2KiB',
}
const BY_KIND: Record<string, string> = {
  duration: '7s',
  size: '1MiB',
  integer: '3',
  boolean: 'true',
  cores: '250m',
  text: 'x',
  list: 'x',
  rules: '[{ interfaces: [lo] }]',
}
/** Keys that need others. */
const JOINED = /^kafka\.(tls\.(caFile|certFile|keyFile|serverName)|sasl\.\w+)$/

const atRunTime = (path: string): boolean =>
  path.startsWith('filter.') || path === 'log.level' || (path.startsWith('targets.') && path !== 'targets.procRoot')

for (const { path, kind } of configKeys.filter((key) => !JOINED.test(key.path))) {
  test(`planReload: ${path} ${atRunTime(path) ? 'changes at once' : 'needs a restart'}`, () => {
    const before = load({})
    const after = load({ [path]: OTHER[path] ?? BY_KIND[kind] })
    const { next, changed, needRestart } = planReload(before, after)
    assert.deepEqual(
      { changed, needRestart },
      atRunTime(path) ? { changed: [path], needRestart: [] } : { changed: [], needRestart: [path] },
    )
    assert.deepEqual(next, atRunTime(path) ? after : before)
  })
}

test('planReload: applies what can change next to what cannot', () => {
  const before = load({ 'kafka.topic': 'one', 'filter.paths': '/a' })
  const after = load({ 'kafka.topic': 'two', 'filter.paths': '/b', 'targets.namespaces.exclude': 'kube-*' })
  const { next, changed, needRestart } = planReload(before, after)
  assert.deepEqual(changed, ['filter.paths', 'targets.namespaces.exclude'])
  assert.deepEqual(needRestart, ['kafka.topic'])
  assert.deepEqual([next.config.kafka.topic, next.config.filter.paths], ['one', ['/b']])
})

test('planReload: changes nothing for the same configuration', () => {
  const settings = { 'filter.paths': '/a,/b' }
  const { changed, needRestart } = planReload(load(settings), load(settings))
  assert.deepEqual([changed, needRestart], [[], []])
})
