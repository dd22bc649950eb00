/** docs/install.md against the chart: the values it names exist, and its figures are those that the chart renders. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { CHART } from '../../deploy/generated.ts'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { configKeys } from '../../src/config/keys.ts'
import { agentConfig, agentPod, render, valueSet } from '../support/chart.ts'

const skip = needsKubeTools()
const page = readFileSync(join(ROOT, 'docs/install.md'), 'utf8')
const values = parse(readFileSync(join(ROOT, CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>
const MIB = 1024 * 1024

/** Whether a dotted path is a value of the chart, or a key of the configuration below `config`. */
function isValue(path: string): boolean {
  const key = path.replace(/^config\./, '')
  if (key !== path) return configKeys.some((known) => known.path === key || known.path.startsWith(`${key}.`))
  const at = path
    .split('.')
    .reduce<unknown>((map, name) => (map as Record<string, unknown> | undefined)?.[name], values)
  return at !== undefined
}

test('docs/install.md: values set on its command lines exist', () => {
  const set = [...page.matchAll(/--set(?: '| )([\w.]+)=/g)].map(([, path]) => path)
  assert.ok(set.length >= 4)
  for (const path of set) assert.ok(isValue(path) || path === 'seLinuxOptions.type', path)
})

test('docs/install.md: values that it names exist', () => {
  const table = page.slice(page.indexOf('## Values'), page.indexOf('## Sizing'))
  const rows = [...table.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell]) =>
    [...cell.matchAll(/`([\w.*]+)`/g)].map(([, name]) => name.replace('.*', '')),
  )
  assert.ok(rows.length > 15)
  // `.selector` after `config.targets.namespaces` is its sibling.
  let before = ''
  for (const name of rows) {
    const path = name.startsWith('.') ? `${before.slice(0, before.lastIndexOf('.'))}${name}` : name
    assert.ok(isValue(path), path)
    before = path
  }
})

test('docs/install.md: the sizes at 512Mi are what the chart renders', { skip }, () => {
  const objects = render(...valueSet('minimal'))
  const { limits, ship, capture } = agentConfig(objects)
  const options = agentPod(objects).spec.containers[0].env.find(({ name }) => name === 'NODE_OPTIONS')?.value
  const heap = Number(/=(\d+)$/.exec(options ?? '')?.[1])
  const rest = 512 - limits.memory / MIB - heap
  const sizes = [...page.matchAll(/^\|.*\| (\d+) MiB/gm)].map(([, size]) => Number(size))
  assert.deepEqual(sizes, [limits.memory / MIB, ship.bufferBytes / MIB, heap, rest, capture.ringBytes / MIB])
})

test('docs/install.md: every privilege of the chart is explained', { skip }, () => {
  const { spec } = agentPod(render(...valueSet('minimal')))
  const { capabilities } = spec.containers[0].securityContext as { capabilities: { add: string[] } }
  for (const name of [...capabilities.add, 'hostNetwork']) assert.match(page, new RegExp(`^\\| \`${name}\` \\|`, 'm'))
})
