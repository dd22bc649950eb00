import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { isMap, parse, parseDocument, type YAMLMap } from 'yaml'
import { commentOf } from '../../deploy/chart-readme.ts'
import { CHART } from '../../deploy/generated.ts'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { configKeys } from '../../src/config/keys.ts'
import { template, VALUE_SETS, valueSet } from '../support/chart.ts'

const skip = needsKubeTools()
const read = (path: string): string => readFileSync(join(ROOT, CHART, path), 'utf8')
const failure = (...values: string[]): string => {
  const { code, stderr } = template(...valueSet('minimal'), ...values.flatMap((value) => ['--set', value]))
  assert.notEqual(code, 0, values.join())
  return stderr
}

const POOL = ['pools.far.nodeLabel.key=zone', 'pools.far.nodeLabel.values={far}']
const MOUNT = 'extraVolumeMounts[0]'

const contradictions: [values: string[], message: RegExp][] = [
  [['config.kafka.brokers=null'], /config\.kafka\.brokers is empty: name a broker/],
  [['image.repository='], /image\.repository is empty: name your image/],
  [['config.ship.sink=file'], /config\.ship\.file is empty/],
  [['config.ship.sink=file', 'config.ship.file=/data/p'], /\/data\/p\) is not on a writable volume/],
  [
    ['config.ship.sink=file', 'config.ship.file=/data/p', `${MOUNT}.mountPath=/data`, `${MOUNT}.readOnly=true`],
    /\/data\/p\) is not on a writable volume/,
  ],
  [
    ['config.ship.sink=file', 'config.ship.file=/database/p', `${MOUNT}.mountPath=/data`],
    /\/database\/p\) is not on a writable volume/,
  ],
  [['config.kafka.tls.caFile=/etc/ca.crt'], /config\.kafka\.tls\.caFile \(\/etc\/ca\.crt\) is not on a mounted volume/],
  [['config.kubernetes.kubeconfig=/root/k'], /config\.kubernetes\.kubeconfig \(\/root\/k\) is not on a mounted volume/],
  [['config.capture.source=cap'], /does not contain the cap package/],
  [['secrets.sasl.name=user'], /secrets\.sasl\.name is set, but config\.kafka\.sasl\.mechanism is not/],
  [['config.kafka.sasl.mechanism=plain'], /requires a password: set secrets\.sasl\.name/],
  [['config.kafka.sasl.mechanism=plain', 'secrets.sasl=null'], /requires a password: set secrets\.sasl\.name/],
  [['config.kafka.sasl.mechanism=plain', 'secrets.sasl.name=user'], /requires a user name: /],
  [['secrets.tls.name=tls', 'secrets.tls.certKey=tls.crt'], /certKey and secrets\.tls\.keyKey must be set together/],
  [['terminationGracePeriodSeconds=10'], /terminationGracePeriodSeconds \(10\) must exceed config\.shutdown\.timeout/],
  [['resources.limits.memory=128Mi'], /resources\.limits\.memory must be at least 192Mi/],
  [['config.limits.memory=500MiB'], /leaves Node\.js less than 96 MiB/],
  [['podMonitor.enabled=true'], /config\.admin\.address is a loopback address, which Prometheus cannot reach/],
  [['podMonitor.enabled=true', 'config.admin.address='], /config\.admin\.address is empty, so no metrics are served/],
  [['config.ship.bufferBytes=1GiB'], /bufferBytes \(1GiB\) must be at most limits\.memory \(256MiB\)/],
  [['config.admin.address=:0'], /port 0: the kubelet needs one from 1 to 65535/],
  [['config.admin.address=:65536'], /port 65536: the kubelet needs one from 1 to 65535/],
  [['config.tap.socket=/tap.sock'], /config\.tap\.socket is in \/, over which its volume would be mounted/],
  [['config.tap.socket=/etc/interceptor/tap.sock'], /is in \/etc\/interceptor, over which its volume would be mounted/],
  [['config.admin.address=:80'], /port 80, which requires NET_BIND_SERVICE/],
  [['config.filter.include.statuses={404,5xx}'], /include\.statuses keeps only what config\.filter\.statuses filters/],
  [['config.targets.namespaces.include={a,b}', 'config.targets.namespaces.exclude={b}'], /includes and excludes b/],
  [['serviceMonitor.enabled=true'], /serviceMonitor\.enabled is true, but config\.admin\.address is a loopback/],
  [['podMonitor.enabled=true', 'serviceMonitor.enabled=true'], /would scrape every agent twice/],
  [[...POOL, 'pools.far.resources.limits.memory=64Mi'], /These values of pool far .*at least 192Mi/s],
  [['priorityClass.create=true', 'priorityClassName=mine'], /exclude each other: set one of them/],
]

for (const [values, message] of contradictions) {
  test(`values: ${values.join(', ')} is rejected`, { skip }, () => {
    assert.match(failure(...values), message)
  })
}

test('values: every contradiction is reported at once', { skip }, () => {
  const message = failure('terminationGracePeriodSeconds=1', 'podMonitor.enabled=true')
  assert.equal(message.match(/^ {2}- /gm)?.length, 2)
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
  'pools.Big.nodeLabel.key=a',
  'pools.big.resources.limits.memory=1Gi',
  'dnsPolicy=None of them',
]

for (const value of refused) {
  test(`values schema: rejects ${value}`, { skip }, () => {
    assert.match(failure(value), /values don't meet the specifications of the schema/)
  })
}

/** Maps that a null empties. */
const CLEARABLE = ['appArmorProfile', 'nodeSelector', 'affinity', 'podAnnotations', 'podLabels']

/** Sections of which templates read keys. A values file whose section has only comments sets it to null. */
const SECTIONS = (parseDocument(read('values.yaml')).contents as YAMLMap).items
  .filter(({ value }) => isMap(value) && value.items.length > 0)
  .map(({ key }) => String(key))
  .filter((name) => !CLEARABLE.includes(name))

for (const name of SECTIONS) {
  test(`values schema: names the section ${name} where it is emptied`, { skip }, () => {
    assert.match(failure(`${name}=null`), new RegExp(`missing property '${name}'`))
  })
}

test('values: maps that Kubernetes or a person reads whole can be emptied, and each probe left out', { skip }, () => {
  const probes = ['startup', 'liveness', 'readiness'].map((name) => `probes.${name}`)
  for (const name of [...CLEARABLE, ...probes, 'secrets.sasl', 'secrets.tls', 'securityContext.capabilities']) {
    const { code, stderr } = template(...valueSet('minimal'), '--set', `${name}=null`)
    assert.equal(code, 0, `${name}: ${stderr}`)
  }
})

test('values schema: accepts the defaults and every set in ci/', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(read('values.schema.json')))
  const defaults = parse(read('values.yaml')) as object
  for (const path of ['values.yaml', ...VALUE_SETS.map((name) => `ci/${name}-values.yaml`)])
    assert.ok(validate({ ...defaults, ...parse(read(path)) }), `${path}: ${JSON.stringify(validate.errors)}`)
})

test('values schema: every map of the chart rejects unknown keys', () => {
  const { properties } = JSON.parse(read('values.schema.json')) as { properties: Record<string, Schema> }
  const open = Object.entries(properties).flatMap(([name, schema]) => openMaps(name, schema))
  // Kubernetes validates these itself.
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

test('values: every key has a description', () => {
  const document = parseDocument(read('values.yaml'))
  assert.deepEqual(undocumented(document.contents as YAMLMap, ''), [])
})

/** Keys without a `# --` comment. A map needs none when each of its keys has one; keys below a comment need none. */
function undocumented(map: YAMLMap, path: string): string[] {
  return map.items.flatMap((pair) => {
    const name = `${path}${(pair.key as { value: string }).value}`
    if (commentOf(pair, map) !== '') return []
    const { value } = pair
    return isMap(value) && value.items.length > 0 && !value.flow ? undocumented(value as YAMLMap, `${name}.`) : [name]
  })
}

test('values: configuration keys named in comments exist', () => {
  const named = [...read('values.yaml').matchAll(/`config\.([\w.]+)`/g)].map(([, path]) => path)
  assert.ok(named.length > 5)
  for (const path of named)
    assert.ok(
      configKeys.some((key) => key.path === path || key.path.startsWith(`${path}.`)),
      path,
    )
})
