import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { isMap, parse, parseDocument, type YAMLMap } from 'yaml'
import { CHART } from '../../deploy/generated.ts'
import { configKeys } from '../../src/config/keys.ts'
import { template, VALUE_SETS, valueSet } from '../support/chart.ts'
import { needsKubeTools, ROOT } from '../support/kube-tools.ts'

const skip = needsKubeTools()
const read = (path: string): string => readFileSync(join(ROOT, CHART, path), 'utf8')
const failure = (...values: string[]): string => {
  const { code, stderr } = template(...valueSet('minimal'), ...values.flatMap((value) => ['--set', value]))
  assert.notEqual(code, 0, values.join())
  return stderr
}

const contradictions: [values: string[], said: RegExp][] = [
  [['config.kafka.brokers=null'], /config\.kafka\.brokers is empty: name a broker/],
  [['secrets.sasl.name=user'], /secrets\.sasl\.name is set, but config\.kafka\.sasl\.mechanism is not/],
  [['config.kafka.sasl.mechanism=plain'], /needs a password: secrets\.sasl\.name/],
  [['config.kafka.sasl.mechanism=plain', 'secrets.sasl.name=user'], /needs a user: /],
  [['secrets.tls.name=tls', 'secrets.tls.certKey=tls.crt'], /certKey and secrets\.tls\.keyKey go together/],
  [['terminationGracePeriodSeconds=10'], /terminationGracePeriodSeconds \(10\) must be over config\.shutdown\.timeout/],
  [['resources.limits.memory=128Mi'], /resources\.limits\.memory must be at least 192Mi/],
  [['config.limits.memory=500MiB'], /leaves Node\.js less than 96 MiB/],
  [['podMonitor.enabled=true'], /config\.admin\.address is loopback, which Prometheus cannot reach/],
  [['podMonitor.enabled=true', 'config.admin.address='], /config\.admin\.address is empty: nothing is served/],
  [['priorityClass.create=true', 'priorityClassName=mine'], /choose one/],
]

for (const [values, said] of contradictions) {
  test(`values: ${values.join(', ')} is refused`, { skip }, () => {
    assert.match(failure(...values), said)
  })
}

test('values: all that contradicts is told at once', { skip }, () => {
  const said = failure('terminationGracePeriodSeconds=1', 'podMonitor.enabled=true')
  assert.equal(said.match(/^ {2}- /gm)?.length, 2)
})

const refused: string[] = [
  'privileges=true',
  'image.name=a',
  'config.ship.lingr=1s',
  'config.kafka.acks=some',
  'config.capture.promiscuous=perhaps',
  'config.limits.memory=1XB',
  'secrets.sasl.password=correct',
  'updateStrategy.maxUnavailable=0',
  'image.digest=sha256:12',
]

for (const value of refused) {
  test(`values schema: refuses ${value}`, { skip }, () => {
    assert.match(failure(value), /values don't meet the specifications of the schema/)
  })
}

test('values schema: takes the defaults and every set that comes with the chart', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(read('values.schema.json')))
  for (const path of ['values.yaml', ...VALUE_SETS.map((name) => `ci/${name}-values.yaml`)])
    assert.ok(validate(parse(read(path))), `${path}: ${JSON.stringify(validate.errors)}`)
})

test('values schema: every map of the chart’s own refuses unknown keys', () => {
  const { properties } = JSON.parse(read('values.schema.json')) as { properties: Record<string, Schema> }
  const open = Object.entries(properties).flatMap(([name, schema]) => openMaps(name, schema))
  // What Kubernetes checks itself, and maps of any names.
  assert.deepEqual(open.sort(), ['affinity', 'global', 'securityContext'])
})

interface Schema {
  properties?: Record<string, Schema>
  additionalProperties?: unknown
  type?: string
}

function openMaps(name: string, schema: Schema): string[] {
  const inner = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => openMaps(`${name}.${key}`, value))
  return schema.type === 'object' && schema.additionalProperties === undefined ? [name, ...inner] : inner
}

test('values: every key says what it is for', () => {
  const document = parseDocument(read('values.yaml'))
  assert.deepEqual(undocumented(document.contents as YAMLMap, ''), [])
})

/** Keys without a `# --` comment. A map needs none when each of its keys has one; below a comment nothing is asked for. */
function undocumented(map: YAMLMap, path: string): string[] {
  return map.items.flatMap((item, index) => {
    const key = item.key as { value: string; commentBefore?: string }
    const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : '') ?? ''
    const name = `${path}${key.value}`
    if (/^ --/m.test(comment)) return []
    return isMap(item.value) && item.value.items.length > 0 && !item.value.flow
      ? undocumented(item.value as YAMLMap, `${name}.`)
      : [name]
  })
}

test('values: keys of the configuration that comments name are there', () => {
  const named = [...read('values.yaml').matchAll(/`config\.([\w.]+)`/g)].map(([, path]) => path)
  assert.ok(named.length > 5)
  for (const path of named)
    assert.ok(
      configKeys.some((key) => key.path === path || key.path.startsWith(`${path}.`)),
      path,
    )
})
