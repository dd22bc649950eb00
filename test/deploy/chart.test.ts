import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { CHART } from '../../deploy/generated.ts'
import { needsKubeTools, toolOutput } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { divideMemory } from '../../src/supervisor/budget.ts'
import { VERSION } from '../../src/version.ts'
import { agentConfig, agentPod, configFile, only, render, VALUE_SETS, valueSet } from '../support/chart.ts'

const skip = needsKubeTools()
const MINIMAL = valueSet('minimal')
const set = (...values: string[]): string[] => [...MINIMAL, ...values.flatMap((value) => ['--set', value])]
const MIB = 1024 * 1024

test('chart: its appVersion is the version of the program', () => {
  const chart = parse(readFileSync(join(ROOT, CHART, 'Chart.yaml'), 'utf8')) as { appVersion: string }
  assert.equal(chart.appVersion, VERSION)
})

for (const name of VALUE_SETS) {
  test(`chart: ${name} values pass helm lint`, { skip }, () => {
    toolOutput('helm', ['lint', '--strict', CHART, ...valueSet(name)])
  })

  test(`chart: with ${name} values the program accepts its configuration`, { skip }, () => {
    const config = agentConfig(render(...valueSet(name)))
    assert.equal(config.targets.procRoot, '/host/proc')
  })

  test(`chart: with ${name} values the notes explain how to read the first pair`, { skip }, () => {
    const notes = toolOutput('helm', ['install', '--dry-run=client', 'interceptor', CHART, ...valueSet(name)])
    assert.match(notes, /NOTES:.*rollout status.*interceptor pods.*3\. Read pairs:\n\n? +\S/s)
  })
}

test('chart: the agent has the privileges it uses, and no others', { skip }, () => {
  const { containers } = agentPod(render(...MINIMAL)).spec
  assert.deepEqual(containers[0].securityContext, {
    runAsUser: 0,
    runAsGroup: 0,
    privileged: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], add: ['NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE'] },
    seccompProfile: { type: 'RuntimeDefault' },
    appArmorProfile: { type: 'Unconfined' },
  })
})

test('chart: on Kubernetes before 1.30 AppArmor is set by annotation', { skip }, () => {
  const { spec, metadata } = agentPod(render(...MINIMAL, '--kube-version', '1.29.0'))
  assert.ok(!('appArmorProfile' in spec.containers[0].securityContext))
  assert.equal(metadata.annotations?.['container.apparmor.security.beta.kubernetes.io/interceptor'], 'unconfined')
})

test('chart: privileged replaces the security context', { skip }, () => {
  const { containers } = agentPod(render(...valueSet('privileged'))).spec
  assert.deepEqual(containers[0].securityContext, {
    privileged: true,
    runAsUser: 0,
    runAsGroup: 0,
    readOnlyRootFilesystem: true,
    seLinuxOptions: { type: 'spc_t' },
  })
})

test('chart: mounts only the host’s /proc, and only the tap’s folder is writable', { skip }, () => {
  for (const name of VALUE_SETS.filter((name) => name !== 'privileged' && name !== 'pools')) {
    const { volumes, containers } = agentPod(render(...valueSet(name))).spec
    const host = volumes.filter((volume) => 'hostPath' in volume)
    assert.deepEqual(host, [{ name: 'host-proc', hostPath: { path: '/proc', type: 'Directory' } }])
    assert.deepEqual(
      containers[0].volumeMounts.filter(({ readOnly }) => readOnly !== true),
      [{ name: 'tap', mountPath: '/run/interceptor' }],
    )
    assert.deepEqual(
      volumes.filter((volume) => 'emptyDir' in volume),
      [{ name: 'tap', emptyDir: { sizeLimit: '1Mi' } }],
    )
  }
})

test('chart: the tap’s folder follows config.tap.socket, and is absent without a tap', { skip }, () => {
  const at = (socket: string) => {
    const { volumes, containers } = agentPod(render(...set(`config.tap.socket=${socket}`))).spec
    return [
      containers[0].volumeMounts.find(({ name }) => name === 'tap')?.mountPath,
      volumes.some(({ name }) => name === 'tap'),
    ]
  }
  assert.deepEqual(at('/var/tap/a.sock'), ['/var/tap', true])
  assert.deepEqual(at(''), [undefined, false])
})

/** Expressions of each required node selector term of a DaemonSet. */
function nodeExpressions(spec: Record<string, unknown>): string[][] {
  const { nodeAffinity } = spec['affinity'] as { nodeAffinity: { [key: string]: { nodeSelectorTerms: NodeTerm[] } } }
  const terms = nodeAffinity['requiredDuringSchedulingIgnoredDuringExecution'].nodeSelectorTerms
  return terms.map(({ matchExpressions }) =>
    matchExpressions.map(({ key, operator, values }) => `${key} ${operator} ${values.join()}`),
  )
}

interface NodeTerm {
  matchExpressions: { key: string; operator: string; values: string[] }[]
}

const NO_VIRTUAL_NODES = ['eks.amazonaws.com/compute-type NotIn fargate', 'type NotIn virtual-kubelet']

test('chart: virtual nodes get no agent', { skip }, () => {
  assert.deepEqual(nodeExpressions(agentPod(render(...MINIMAL)).spec), [NO_VIRTUAL_NODES])
})

interface PoolDaemonSet {
  metadata: { name: string; namespace: string }
  spec: { selector: { matchLabels: Record<string, string> }; template: ReturnType<typeof agentPod> }
}

test('chart: each pool has a DaemonSet with its values on its own nodes', { skip }, () => {
  const objects = render(...valueSet('pools'))
  const sets = objects.filter(({ kind }) => kind === 'DaemonSet') as unknown as PoolDaemonSet[]
  assert.deepEqual(
    sets.map(({ metadata }) => metadata.name),
    ['interceptor', 'interceptor-edge', 'interceptor-large'],
  )
  const [main, edge, large] = sets.map(({ spec }) => spec)
  const onEdge = 'example.com/edge'
  const onLarge = 'node.kubernetes.io/instance-type'
  const largeTypes = 'm7i.24xlarge,m7i.48xlarge'
  assert.deepEqual(nodeExpressions(main.template.spec), [
    [...NO_VIRTUAL_NODES, `${onEdge} NotIn true`, `${onLarge} NotIn ${largeTypes}`],
  ])
  assert.deepEqual(nodeExpressions(edge.template.spec), [[...NO_VIRTUAL_NODES, `${onEdge} In true`]])
  assert.deepEqual(nodeExpressions(large.template.spec), [[...NO_VIRTUAL_NODES, `${onLarge} In ${largeTypes}`]])
  for (const { selector, template } of [main, edge, large])
    for (const [label, value] of Object.entries(selector.matchLabels))
      assert.equal(template.metadata.labels?.[label], value)
  assert.equal(new Set(sets.map(({ spec }) => spec.selector.matchLabels['interceptor.dev/pool'])).size, 3)
  assert.equal(edge.template.spec['hostPID'], true)
  assert.equal(edge.template.spec['priorityClassName'], 'system-node-critical')
  const config = (pool: string): { assemble: { workers: number }; limits: object; ship: { file: string } } => {
    const map = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === `interceptor${pool}`)
    return parse(map?.data?.['config.yaml'] ?? '')
  }
  assert.deepEqual(
    ['', '-edge', '-large'].map((pool) => [config(pool).assemble.workers, config(pool).limits]),
    [
      [2, { memory: '256MiB' }],
      [2, { memory: '256MiB', flows: 20_000 }],
      [4, { memory: '1024MiB' }],
    ],
  )
  assert.deepEqual(
    sets.map(
      ({ spec }) => (spec.template.spec.volumes[0] as unknown as { configMap: { name: string } }).configMap.name,
    ),
    sets.map(({ metadata }) => metadata.name),
  )
})

test('chart: grants a permission that only one pool needs', { skip }, () => {
  const values = [
    'pools.far.nodeLabel.key=far',
    'pools.far.nodeLabel.values={yes}',
    'pools.far.config.kubernetes.remoteNames=true',
  ]
  assert.ok(allowed(...values).includes('services watch'))
})

test('chart: the pod is on the host’s network but not in its PID namespace, on every node, and stays out of meshes', {
  skip,
}, () => {
  const { spec, metadata } = agentPod(render(...MINIMAL))
  assert.equal(spec['hostNetwork'], true)
  assert.equal(spec['hostPID'], false)
  assert.equal(spec['dnsPolicy'], 'ClusterFirstWithHostNet')
  assert.deepEqual(spec['tolerations'], [{ operator: 'Exists' }])
  assert.deepEqual(spec['nodeSelector'], { 'kubernetes.io/os': 'linux' })
  assert.equal(metadata.annotations?.['sidecar.istio.io/inject'], 'false')
  assert.equal(metadata.annotations?.['linkerd.io/inject'], 'disabled')
})

const addresses: [address: string, host: string | undefined, port: number][] = [
  ['127.0.0.1:9464', '127.0.0.1', 9464],
  ['0.0.0.0:1234', '127.0.0.1', 1234],
  [':9464', '127.0.0.1', 9464],
  ['[::]:9464', '::1', 9464],
  ['[fd00::7]:9464', 'fd00::7', 9464],
  ['192.0.2.1:8080', '192.0.2.1', 8080],
  ['$(HOST_IP):9464', undefined, 9464],
  ['[$(HOST_IP)]:9464', undefined, 9464],
]

for (const [address, host, port] of addresses) {
  test(`chart: probes request ${host ?? 'the node'} where admin.address is ${address}`, { skip }, () => {
    const objects = render(...set(`config.admin.address=${address.replaceAll('[', '\\[')}`))
    const { startupProbe, livenessProbe, readinessProbe, ports } = agentPod(objects).spec.containers[0]
    const at = host === undefined ? { port } : { host, port }
    assert.deepEqual(startupProbe?.httpGet, { path: '/livez', ...at })
    assert.deepEqual(livenessProbe?.httpGet, { path: '/livez', ...at })
    assert.deepEqual(readinessProbe?.httpGet, { path: '/readyz', ...at })
    assert.deepEqual(ports, [{ name: 'admin', containerPort: port, protocol: 'TCP' }])
    assert.equal(agentConfig(objects).admin.address, address.replace('$(HOST_IP)', '192.0.2.7'))
  })
}

test('chart: without admin.address there are no probes and no port', { skip }, () => {
  const container = agentPod(render(...valueSet('unlimited'))).spec.containers[0]
  assert.deepEqual(
    ['ports', 'startupProbe', 'livenessProbe', 'readinessProbe'].filter((key) => key in container),
    [],
  )
})

const graces: [timeout: string, seconds: number][] = [
  ['10s', 15],
  ['500ms', 6],
  ['2m', 125],
  ['1500', 7],
]

for (const [timeout, seconds] of graces) {
  test(`chart: shutdown.timeout ${timeout} makes a grace period of ${seconds} s`, { skip }, () => {
    const { spec } = agentPod(render(...set(`config.shutdown.timeout=${timeout}`)))
    assert.equal(spec['terminationGracePeriodSeconds'], seconds)
  })
}

interface Sizes {
  memory: number
  buffer: number
  ring: number
  heap: number | undefined
}

function sizes(...flags: string[]): Sizes {
  const objects = render(...flags)
  const { limits, ship, capture } = agentConfig(objects)
  const options = agentPod(objects).spec.containers[0].env.find(({ name }) => name === 'NODE_OPTIONS')?.value
  const heap = /--max-old-space-size=(\d+)/.exec(options ?? '')?.[1]
  const inMiB = (bytes: number): number => bytes / MIB
  return {
    memory: inMiB(limits.memory),
    buffer: inMiB(ship.bufferBytes),
    ring: inMiB(capture.ringBytes),
    heap: heap === undefined ? undefined : Number(heap),
  }
}

const memoryLimits: [values: string[], expected: Sizes][] = [
  [['resources.limits.memory=192Mi'], { memory: 96, buffer: 24, ring: 3, heap: 64 }],
  [['resources.limits.memory=512Mi'], { memory: 256, buffer: 64, ring: 8, heap: 102 }],
  [['resources.limits.memory=1.5Gi'], { memory: 768, buffer: 192, ring: 24, heap: 307 }],
  [['resources.limits.memory=1G'], { memory: 476, buffer: 119, ring: 14, heap: 190 }],
  [['resources.limits.memory=536870912'], { memory: 256, buffer: 64, ring: 8, heap: 102 }],
  [['resources.limits.memory=64Gi'], { memory: 32768, buffer: 8192, ring: 64, heap: 13107 }],
  [['config.limits.memory=128MiB'], { memory: 128, buffer: 32, ring: 8, heap: 102 }],
  [['config.capture.ringBytes=2MiB', 'config.ship.bufferBytes=16MiB'], { memory: 256, buffer: 16, ring: 2, heap: 102 }],
  [['resources.limits=null'], { memory: 256, buffer: 64, ring: 8, heap: undefined }],
]

for (const [values, expected] of memoryLimits) {
  test(`chart: ${values.join(', ')} sizes the agent`, { skip }, () => {
    assert.deepEqual(sizes(...set(...values)), expected)
  })
}

test('chart: at the smallest memory limit the budget fits the maximum of capture workers', { skip }, () => {
  const { limits, ship, capture, assemble } = agentConfig(render(...set('resources.limits.memory=192Mi')))
  assert.equal(typeof assemble.workers, 'number')
  const { poolBytes } = divideMemory(
    { ...limits, ...ship },
    { captures: capture.maxWorkers, assemblers: Number(assemble.workers), holdsBursts: true },
  )
  assert.ok(poolBytes >= 4 * MIB)
})

test('chart: large numbers in the configuration are not rendered in exponent form', { skip }, () => {
  assert.equal(agentConfig(render(...valueSet('privileged'))).limits.flows, 10_000_000)
})

const checksum = (...values: string[]): string =>
  agentPod(render(...set(...values))).metadata.annotations?.['checksum/config'] ?? ''

test('chart: a changed configuration restarts the pods', { skip }, () => {
  const before = checksum()
  assert.match(before, /^[0-9a-f]{64}$/)
  assert.notEqual(checksum('config.kafka.topic=other'), before)
  assert.notEqual(checksum('config.filter.paths={/ready}'), before)
})

test('chart: with configReload a change that running agents reload does not restart the pods', { skip }, () => {
  const before = checksum('configReload=true')
  for (const value of ['filter.paths={/ready}', 'targets.excludePorts={81}', 'log.level=debug'])
    assert.equal(checksum('configReload=true', `config.${value}`), before, value)
  for (const value of ['kafka.topic=other', 'targets.procRoot=/proc'])
    assert.notEqual(checksum('configReload=true', `config.${value}`), before, value)
})

test('chart: credentials are mounted from Secrets, readable by root only', { skip }, () => {
  const objects = render(...valueSet('secure'))
  const { kafka } = agentConfig(objects)
  const { volumes, containers } = agentPod(objects).spec
  const mounts = Object.fromEntries(containers[0].volumeMounts.map(({ name, mountPath }) => [name, mountPath]))
  assert.equal(kafka.sasl.passwordFile, `${mounts['sasl']}/password`)
  assert.equal(kafka.sasl.username, 'given')
  assert.deepEqual(kafka.tls, {
    enabled: true,
    caFile: `${mounts['tls']}/ca.crt`,
    certFile: `${mounts['tls']}/tls.crt`,
    keyFile: `${mounts['tls']}/tls.key`,
    serverName: '',
  })
  const secrets = volumes.flatMap((volume) => ('secret' in volume ? [volume['secret']] : []))
  const item = (key: string): object => ({ key, path: key })
  assert.deepEqual(secrets, [
    { secretName: 'kafka-user', defaultMode: 0o400, items: [item('password')] },
    { secretName: 'kafka-tls', defaultMode: 0o400, items: ['ca.crt', 'tls.crt', 'tls.key'].map(item) },
  ])
  assert.deepEqual(containers[0].env.find(({ name }) => name === 'INTERCEPTOR_KAFKA_SASL_USERNAME')?.valueFrom, {
    secretKeyRef: { name: 'kafka-user', key: 'username' },
  })
})

/** What the ClusterRole allows, as `pods watch`, `nodes list`. */
const allowed = (...values: string[]): string[] =>
  only(render(...set(...values)), 'ClusterRole')
    .rules!.flatMap(({ resources, verbs }) => resources.flatMap((name) => verbs.map((verb) => `${name} ${verb}`)))
    .sort()

const PODS = ['pods list', 'pods watch']
const OWNERS = ['jobs get', 'replicasets get']
const NETWORKS = ['nodes list', 'servicecidrs list']

test('chart: RBAC grants what each feature needs, and nothing else', { skip }, () => {
  assert.deepEqual(allowed(), [...PODS, ...OWNERS, ...NETWORKS].sort())
  const given = 'config.targets.clusterNetworks={10.0.0.0/8}'
  assert.deepEqual(allowed(given), [...PODS, ...OWNERS].sort())
  const remote = ['services list', 'services watch']
  assert.deepEqual(allowed(given, 'config.kubernetes.remoteNames=true'), [...PODS, ...OWNERS, ...remote].sort())
})

test('chart: RBAC binds the service account of the release’s namespace', { skip }, () => {
  assert.deepEqual(only(render(...MINIMAL), 'ClusterRoleBinding')['subjects'], [
    { kind: 'ServiceAccount', name: 'interceptor', namespace: 'watch' },
  ])
})

test('chart: without the API server there is no role and no token', { skip }, () => {
  const objects = render(...valueSet('privileged'))
  assert.ok(!objects.some(({ kind }) => kind === 'ClusterRole' || kind === 'ClusterRoleBinding'))
  assert.equal(agentPod(objects).spec['automountServiceAccountToken'], false)
})

test('chart: the image is chosen by tag, by digest, or by the chart’s version', { skip }, () => {
  const image = (...flags: string[]): string => agentPod(render(...flags)).spec.containers[0].image
  assert.equal(image(...set('image.repository=example.com/a', 'image.tag=v7')), 'example.com/a:v7')
  assert.match(image(...valueSet('secure')), /^registry\.example\.com\/tools\/interceptor@sha256:[0-9a-f]{64}$/)
  assert.match(image(...MINIMAL), /^interceptor:\d+\.\d+\.\d+$/)
})

test('chart: pods accept additional arguments, containers, DNS settings and a runtime class', { skip }, () => {
  const objects = render(...valueSet('privileged'))
  const { spec } = agentPod(objects)
  assert.deepEqual(spec.containers[0].args, ['agent', '--summary', '-'])
  assert.deepEqual(
    (spec.containers as { name?: unknown }[]).map(({ name }) => name),
    ['interceptor', 'helper'],
  )
  assert.deepEqual(spec['initContainers'], [{ name: 'wait', image: 'registry.example.com/wait:1' }])
  assert.deepEqual(spec['dnsConfig'], { searches: ['example.com'] })
  assert.deepEqual(spec['hostAliases'], [{ ip: '192.0.2.5', hostnames: ['kafka.example.com'] }])
  assert.equal(spec['runtimeClassName'], 'runc')
  assert.equal(only(objects, 'DaemonSet').spec?.['revisionHistoryLimit'], 3)
})

test('chart: namespaceOverride moves every object of the namespace', { skip }, () => {
  const flags = ['--set', 'namespaceOverride=elsewhere,prometheusRule.enabled=true,dashboard.enabled=true']
  const objects = render(...valueSet('pools'), ...flags)
  const namespaces = objects.map(({ metadata }) => (metadata as { namespace?: string }).namespace)
  assert.deepEqual([...new Set(namespaces)].sort(), ['elsewhere', undefined])
  assert.deepEqual(only(objects, 'ClusterRoleBinding')['subjects'], [
    { kind: 'ServiceAccount', name: 'interceptor', namespace: 'elsewhere' },
  ])
  assert.ok(
    objects.filter((_, index) => namespaces[index] === undefined).every(({ kind }) => kind.startsWith('Cluster')),
  )
})

test('chart: a ServiceMonitor scrapes the agents through a headless Service', { skip }, () => {
  const objects = render(...valueSet('pools'))
  const service = only(objects, 'Service')
  assert.equal(service.spec?.['clusterIP'], 'None')
  const { selector, endpoints } = only(objects, 'ServiceMonitor').spec as {
    selector: { matchLabels: Record<string, string> }
    endpoints: { port: string; path: string; honorLabels: boolean }[]
  }
  for (const [label, value] of Object.entries(selector.matchLabels))
    assert.equal(service.metadata.labels?.[label], value)
  assert.equal(endpoints[0].port, (service['spec'] as { ports: { name: string }[] }).ports[0].name)
  assert.deepEqual([endpoints[0].path, endpoints[0].honorLabels], ['/metrics', true])
  for (const { metadata } of objects.filter(({ kind }) => kind === 'DaemonSet'))
    assert.equal(metadata.labels?.['app.kubernetes.io/instance'], 'interceptor')
})

test('chart: additional environment, volumes and objects', { skip }, () => {
  const objects = render(...valueSet('privileged'))
  const names = objects.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name)
  assert.deepEqual(names.sort(), ['interceptor', 'interceptor-more', 'interceptor-text'])
  const [container] = agentPod(objects).spec.containers
  assert.ok(container.env.some(({ name, value }) => name === 'TZ' && value === 'UTC'))
  assert.ok(container.volumeMounts.some(({ mountPath }) => mountPath === '/scratch'))
})

test('chart: optional objects are rendered only on request', { skip }, () => {
  const kinds = render(...MINIMAL, '--no-hooks').map(({ kind }) => kind)
  assert.deepEqual(kinds.sort(), ['ClusterRole', 'ClusterRoleBinding', 'ConfigMap', 'DaemonSet', 'ServiceAccount'])
})

test('chart: an address with $(HOST_IP) is set in the environment, not in the file', { skip }, () => {
  assert.ok(!('address' in (configFile(render(...valueSet('secure'))) as { admin: object }).admin))
})
