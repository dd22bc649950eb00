import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as zlib from 'node:zlib'
import { configKeys } from '../../src/config/keys.ts'
import type { FlagValue } from '../../src/config/layers.ts'
import { type ConfigSources, defaultConfig, loadConfig } from '../../src/config/load.ts'
import { InterceptorError } from '../../src/errors.ts'
import { TUNNEL_NAMES } from '../../src/net/tunnels.ts'

const folder = mkdtempSync(join(tmpdir(), 'interceptor-config-'))
after(() => rmSync(folder, { recursive: true }))

let files = 0
function yaml(text: string): string {
  files += 1
  const path = join(folder, `${files}.yaml`)
  writeFileSync(path, text)
  return path
}

const flag = (path: string, value: FlagValue['value']): FlagValue => ({ path, value, name: '--set' })

function problemOf(sources: ConfigSources): string {
  try {
    loadConfig({ env: {}, ...sources })
  } catch (error) {
    assert.ok(error instanceof InterceptorError)
    assert.equal(error.exitCode, 2)
    return error.message.replaceAll(`${folder}/`, '')
  }
  return assert.fail('was accepted')
}

test('loadConfig: returns the documented defaults', () => {
  const config = defaultConfig()
  assert.equal(config.node.name, hostname())
  const { node: _, ...rest } = config
  assert.deepEqual(rest, {
    capture: {
      source: 'auto',
      interfaces: [],
      filter: '',
      snapLength: 262144,
      tunnels: [...TUNNEL_NAMES],
      ringBytes: 8 * 1024 * 1024,
      initialRingBytes: 2 * 1024 * 1024,
      maxWorkers: 8,
      promiscuous: false,
      warmUp: true,
    },
    assemble: { workers: 'auto', incompleteResponses: false },
    limits: {
      messageBytes: 1048576,
      pairBytes: 1048576,
      responseTimeout: 60_000,
      idleTimeout: 1_800_000,
      flows: 100_000,
      memory: 256 * 1024 * 1024,
      cpu: 0,
    },
    filter: {
      contentTypes: ['application/json', 'application/x-www-form-urlencoded'],
      userAgentPrefixes: ['kube-probe'],
      requestHeaders: ['X-Soveren-Request'],
      statuses: ['301', '308', '4xx', '5xx'],
      paths: ['/metrics', '/healthz', '/api/health', '/api/v2/alive', '/api/v2/detect'],
      include: {
        methods: [],
        hosts: [],
        paths: [],
        statuses: [],
        namespaces: [],
        workloads: [],
        pods: [],
        minLatency: 0,
      },
    },
    ship: {
      sink: 'kafka',
      format: 'msgpack',
      decode: false,
      bufferBytes: 64 * 1024 * 1024,
      maxAge: 300_000,
      linger: 50,
      batchBytes: 512 * 1024,
      file: '',
      fileMaxBytes: 0,
      fileMaxAge: 0,
      fileKeep: 0,
    },
    kafka: {
      brokers: [],
      topic: 'interceptor.pairs',
      clientId: 'interceptor',
      createTopic: false,
      acks: 'leader',
      compression: 'none',
      partitionBy: 'connection',
      tls: { enabled: false, caFile: '', certFile: '', keyFile: '', serverName: '' },
      sasl: {
        mechanism: '',
        username: '',
        passwordFile: '',
        tokenFile: '',
        tokenCommand: [],
        extensions: [],
        awsRegion: '',
      },
    },
    kubernetes: { enabled: 'auto', kubeconfig: '', remoteNames: false },
    targets: {
      procRoot: '/proc',
      namespaces: { include: [], exclude: [] },
      selector: '',
      interfaces: [],
      excludePorts: [],
      keep: 'server',
      clusterNetworks: [],
    },
    admin: { address: '127.0.0.1:9464' },
    priority: { nice: 10, scheduler: 'batch', io: 'idle', oomScoreAdjust: 500 },
    log: { level: 'info' },
    shutdown: { timeout: 10_000 },
    tap: { socket: '/run/interceptor/tap.sock' },
  })
})

test('loadConfig: prefers flags to the environment, that to the file, that to defaults', () => {
  const file = yaml('ship: { maxAge: 1m, linger: 1ms, batchBytes: 1KiB }\n')
  const env = { INTERCEPTOR_SHIP_MAX_AGE: '2m', INTERCEPTOR_SHIP_LINGER: '2ms' }
  const { config, origins } = loadConfig({ file, env, flags: [flag('ship.maxAge', '3m')] })
  assert.deepEqual(
    [config.ship.maxAge, config.ship.linger, config.ship.batchBytes, config.ship.format],
    [180_000, 2, 1024, 'msgpack'],
  )
  const from = ['ship.maxAge', 'ship.linger', 'ship.batchBytes', 'ship.format'].map((path) => origins.get(path))
  assert.deepEqual(from, [
    { kind: 'flag', name: '--set' },
    { kind: 'environment', name: 'INTERCEPTOR_SHIP_LINGER' },
    { kind: 'file', name: `${file}:1` },
    { kind: 'default', name: 'default' },
  ])
})

test('loadConfig: the later of two flags applies', () => {
  const { config } = loadConfig({ env: {}, flags: [flag('kafka.topic', 'a'), flag('kafka.topic', 'b')] })
  assert.equal(config.kafka.topic, 'b')
})

test('loadConfig: reads every key from the environment by its name', () => {
  assert.equal(configKeys.find(({ path }) => path === 'kafka.tls.caFile')?.environment, 'INTERCEPTOR_KAFKA_TLS_CA_FILE')
  const env = {
    INTERCEPTOR_KAFKA_BROKERS: 'a:1, b,c.d:3',
    INTERCEPTOR_FILTER_STATUSES: '301,4XX',
    INTERCEPTOR_TARGETS_EXCLUDE_PORTS: '80,443',
    INTERCEPTOR_TARGETS_NAMESPACES_INCLUDE: 'shop,team-*',
    INTERCEPTOR_CAPTURE_PROMISCUOUS: 'true',
    INTERCEPTOR_ASSEMBLE_WORKERS: '3',
    INTERCEPTOR_KUBERNETES_ENABLED: 'false',
    INTERCEPTOR_FILTER_USER_AGENT_PREFIXES: '',
    INTERCEPTOR_LIMITS_MEMORY: '536870912',
    INTERCEPTOR_TARGETS_INTERFACES: '[{ selector: app=api, interfaces: [lo, net1] }]',
  }
  const { config } = loadConfig({ env })
  assert.deepEqual(config.kafka.brokers, ['a:1', 'b:9092', 'c.d:3'])
  assert.deepEqual(config.filter.statuses, ['301', '4xx'])
  assert.deepEqual(config.targets.excludePorts, [80, 443])
  assert.deepEqual(config.targets.namespaces.include, ['shop', 'team-*'])
  assert.deepEqual(config.targets.interfaces, [
    { namespaces: [], workload: '', selector: 'app=api', interfaces: ['lo', 'net1'] },
  ])
  assert.equal(config.capture.promiscuous, true)
  assert.equal(config.assemble.workers, 3)
  assert.equal(config.kubernetes.enabled, false)
  assert.deepEqual(config.filter.userAgentPrefixes, [])
  assert.equal(config.limits.memory, 512 * 1024 * 1024)
})

test('loadConfig: ignores the variables of a Kubernetes Service of the same name', () => {
  const env = {
    INTERCEPTOR_SERVICE_HOST: '10.0.0.1',
    INTERCEPTOR_SERVICE_PORT: '9464',
    INTERCEPTOR_SERVICE_PORT_METRICS: '9464',
    INTERCEPTOR_PORT: 'tcp://10.0.0.1:9464',
    INTERCEPTOR_PORT_9464_TCP: 'tcp://10.0.0.1:9464',
    INTERCEPTOR_PORT_9464_TCP_ADDR: '10.0.0.1',
    INTERCEPTOR_METRICS_SERVICE_HOST: '10.0.0.2',
    INTERCEPTOR_METRICS_PORT_80_TCP_PROTO: 'tcp',
  }
  assert.deepEqual(loadConfig({ env }).config, defaultConfig())
})

test('loadConfig: reads the file that INTERCEPTOR_CONFIG names, unless one is given', () => {
  const named = yaml('kafka: { topic: named }\n')
  const env = { INTERCEPTOR_CONFIG: named }
  assert.equal(loadConfig({ env }).config.kafka.topic, 'named')
  assert.equal(loadConfig({ env, file: yaml('kafka: { topic: given }') }).config.kafka.topic, 'given')
})

test('loadConfig: sets an empty node.name to NODE_NAME', () => {
  const { config, origins } = loadConfig({ env: { NODE_NAME: 'worker-7' } })
  assert.equal(config.node.name, 'worker-7')
  assert.deepEqual(origins.get('node.name'), { kind: 'environment', name: 'NODE_NAME' })
  assert.equal(loadConfig({ env: { NODE_NAME: 'a', INTERCEPTOR_NODE_NAME: 'b' } }).config.node.name, 'b')
})

test('loadConfig: keeps the defaults for empty files, sections and keys', () => {
  for (const text of ['', '# nothing\n', 'ship:\n', 'ship:\n  maxAge:\nfilter:\n  paths:\n']) {
    assert.deepEqual(loadConfig({ env: {}, file: yaml(text) }).config, defaultConfig())
  }
})

test('loadConfig: reads YAML numbers as milliseconds, bytes and statuses', () => {
  const file = yaml('limits: { responseTimeout: 1500, messageBytes: 2048 }\nfilter: { statuses: [404, 5xx] }\n')
  const { config } = loadConfig({ env: {}, file })
  assert.deepEqual([config.limits.responseTimeout, config.limits.messageBytes], [1500, 2048])
  assert.deepEqual(config.filter.statuses, ['404', '5xx'])
})

const DURATION =
  'is not a duration: write a number with a unit (250ms, 60s, 5m, 2h, 1d), or a bare number of milliseconds'
const SIZE =
  'is not a size: write a number with a unit (512KiB, 64MiB, 1GiB; KB, MB and GB are powers of 1000), or a bare number of bytes'

const refused: [string, ConfigSources, string][] = [
  [
    'an unknown key of the file',
    { file: yaml('ship:\n  lingr: 5ms\n') },
    'unknown key ship.lingr (1.yaml:2): did you mean ship.linger?',
  ],
  [
    'an unknown section of the file',
    { file: yaml('kafak:\n  topic: x\n') },
    'unknown key kafak (2.yaml:1): did you mean kafka?',
  ],
  [
    'an unknown variable',
    { env: { INTERCEPTOR_SHIP_MAXAGE: '5m' } },
    'unknown key INTERCEPTOR_SHIP_MAXAGE (environment): did you mean INTERCEPTOR_SHIP_MAX_AGE?',
  ],
  [
    'an unknown key of a flag',
    { flags: [flag('ship.max-age', '5m')] },
    'unknown key ship.max-age (--set): did you mean ship.maxAge?',
  ],
  [
    'a wrong unit of a duration',
    { env: { INTERCEPTOR_SHIP_MAX_AGE: '5MiB' } },
    `ship.maxAge: "5MiB" ${DURATION} (INTERCEPTOR_SHIP_MAX_AGE)`,
  ],
  ['a negative duration', { file: yaml('ship: { linger: -5 }') }, `ship.linger: -5 ${DURATION} (3.yaml:1)`],
  [
    'cores that are none',
    { flags: [flag('limits.cpu', '1c')] },
    'limits.cpu: "1c" is not a number of cores: write a number of CPU cores (0.25, 2), or of thousandths (250m) (--set)',
  ],
  [
    'a CPU limit that cannot be held',
    { flags: [flag('limits.cpu', '10m')] },
    'limits.cpu: "10m" must be 0 or at least 0.05 (--set)',
  ],
  ['a wrong unit of a size', { flags: [flag('limits.memory', '1XB')] }, `limits.memory: "1XB" ${SIZE} (--set)`],
  [
    'a size out of range',
    { flags: [flag('limits.memory', '1MiB')] },
    'limits.memory: "1MiB" must be at least 32MiB (--set)',
  ],
  [
    'a value outside a choice',
    { flags: [flag('kafka.acks', '1')] },
    'kafka.acks: "1" must be one of: none, leader, all (--set)',
  ],
  [
    'a broker with a scheme',
    { flags: [flag('kafka.brokers', 'kafka://a:9092')] },
    'kafka.brokers: "kafka://a:9092" must be host:port, such as kafka-0.kafka:9092 or [fd00::1]:9092 (--set)',
  ],
  [
    'a topic name that brokers reject',
    { flags: [flag('kafka.topic', 'a b')] },
    'kafka.topic: "a b" must be 1 to 249 letters, digits, dots, dashes or underscores (--set)',
  ],
  [
    'an invalid status',
    { flags: [flag('filter.statuses', '301,40x')] },
    'filter.statuses: "40x" must be a status such as 301, or a class of statuses from 1xx to 5xx (--set)',
  ],
  [
    'a media type with parameters',
    { flags: [flag('filter.contentTypes', 'application/json; charset=utf-8')] },
    'filter.contentTypes: "application/json; charset=utf-8" must be a media type without parameters, such as application/json or, with the wildcards * and ?, application/*+json (--set)',
  ],
  [
    'an invalid network',
    { flags: [flag('targets.clusterNetworks', '10.0.0.0/33')] },
    'targets.clusterNetworks: "10.0.0.0/33" must be a network such as 10.0.0.0/8 (--set)',
  ],
  [
    'a rule without interfaces',
    { flags: [flag('targets.interfaces', '[{ selector: app=api }]')] },
    'targets.interfaces, 0.interfaces: undefined must be a list of interfaces (--set)',
  ],
  [
    'a rule with an invalid interface',
    { flags: [flag('targets.interfaces', '[{ interfaces: ["lo", "et h0"] }]')] },
    'targets.interfaces, 0.interfaces.1: "et h0" must be an interface name, a glob, lo or pod (--set)',
  ],
  [
    'a rule with an unknown key',
    { flags: [flag('targets.interfaces', '[{ namespace: [shop], interfaces: [lo] }]')] },
    'targets.interfaces: {"namespace":["shop"],"interfaces":["lo"]} has the unknown key namespace; a rule has namespaces, workload, selector, interfaces (--set)',
  ],
  [
    'a rule that is not a map',
    { flags: [flag('targets.interfaces', 'lo')] },
    'targets.interfaces: "lo" must be a list of rules (--set)',
  ],
  [
    'a port out of range',
    { flags: [flag('targets.excludePorts', '70000')] },
    'targets.excludePorts: 70000 must be a port number from 1 to 65535 (--set)',
  ],
  [
    'an invalid count',
    { flags: [flag('assemble.workers', 'many')] },
    'assemble.workers: "many" must be auto or a whole number from 1 to 64 (--set)',
  ],
  ['an invalid boolean', { flags: [flag('ship.decode', 'yes')] }, 'ship.decode: "yes" must be true or false (--set)'],
  ['a section that is not a map', { file: yaml('ship: 5\n') }, 'ship (4.yaml:1) must be a map of keys'],
  ['a file that is not a map', { file: yaml('- ship\n') }, 'the file (5.yaml:1) must be a map of keys'],
  [
    'a map in place of a value',
    { file: yaml('ship: { maxAge: { a: 1 } }') },
    `ship.maxAge: {"a":1} ${DURATION} (6.yaml:1)`,
  ],
  [
    'a key of the file with dots',
    { file: yaml('ship.maxAge: 1m\n') },
    'ship.maxAge (7.yaml:1): write nested maps instead of dots',
  ],
  ['sink file without a file', { flags: [flag('ship.sink', 'file')] }, 'ship.sink is file, but ship.file is empty'],
  [
    'a certificate without its key',
    { flags: [flag('kafka.tls.enabled', true), flag('kafka.tls.certFile', 'c.pem')] },
    'kafka.tls.certFile needs kafka.tls.keyFile too',
  ],
  [
    'a key without its certificate',
    { flags: [flag('kafka.tls.enabled', true), flag('kafka.tls.keyFile', 'k.pem')] },
    'kafka.tls.keyFile needs kafka.tls.certFile too',
  ],
  [
    'TLS files without TLS',
    { flags: [flag('kafka.tls.caFile', 'ca.pem')] },
    'kafka.tls.caFile is set, but kafka.tls.enabled is false: the connection would not be encrypted',
  ],
  [
    'a user without a mechanism',
    { flags: [flag('kafka.sasl.username', 'me')] },
    'kafka.sasl.username is set, but kafka.sasl.mechanism is empty: it is for plain, scram-sha-256, scram-sha-512',
  ],
  [
    'a mechanism without a password',
    { flags: [flag('kafka.sasl.mechanism', 'plain'), flag('kafka.sasl.username', 'me')] },
    'kafka.sasl.mechanism is plain, which needs kafka.sasl.passwordFile',
  ],
  [
    'a token without a bearer mechanism',
    {
      flags: [
        flag('kafka.sasl.mechanism', 'SCRAM-SHA-512'),
        flag('kafka.sasl.username', 'me'),
        flag('kafka.sasl.passwordFile', '/password'),
        flag('kafka.sasl.tokenFile', '/token'),
      ],
    },
    'kafka.sasl.tokenFile is set, but kafka.sasl.mechanism is scram-sha-512: it is for oauthbearer, aws-msk-iam',
  ],
  [
    'a bearer mechanism without a token',
    { flags: [flag('kafka.sasl.mechanism', 'OAUTHBEARER')] },
    'kafka.sasl.mechanism is oauthbearer, which needs kafka.sasl.tokenFile or kafka.sasl.tokenCommand',
  ],
  [
    'a token from two places',
    {
      flags: [
        flag('kafka.sasl.mechanism', 'aws-msk-iam'),
        flag('kafka.sasl.tokenFile', '/token'),
        flag('kafka.sasl.tokenCommand', 'get-token,--json'),
      ],
    },
    'kafka.sasl.tokenFile and kafka.sasl.tokenCommand are both set: choose one',
  ],
  [
    'statuses of which the rule leaves none',
    { flags: [flag('filter.include.statuses', '404,5xx')] },
    'filter.include.statuses keeps only what filter.statuses filters: no pair would be kept',
  ],
  [
    'paths of which the rule leaves none',
    { flags: [flag('filter.include.paths', '/api/v1/*,/admin/'), flag('filter.paths', '/api/**,/ad?in')] },
    'filter.include.paths keeps only what filter.paths filters: no pair would be kept',
  ],
  [
    'a namespace that is included and excluded',
    { flags: [flag('targets.namespaces.include', 'shop,a'), flag('targets.namespaces.exclude', 'b,shop')] },
    'targets.namespaces includes and excludes shop: the exclusion would win',
  ],
  [
    'a selector that is none',
    { flags: [flag('targets.selector', 'app in (')] },
    'targets.selector: label selector “app in (”: expected a comma or ) at its end',
  ],
  [
    'a selector of a rule that no pod can match',
    { flags: [flag('targets.interfaces', '[{ interfaces: [lo], selector: "app=a,app notin (a, b)" }]')] },
    'targets.interfaces, 0.selector: no pod can match app=a,app notin (a, b)',
  ],
  [
    'messages that do not fit into memory',
    { flags: [flag('limits.messageBytes', '128MiB')] },
    'limits.messageBytes (128MiB) must be at most a quarter of limits.memory (256MiB)',
  ],
  [
    'a buffer larger than memory',
    { flags: [flag('ship.bufferBytes', '1GiB')] },
    'ship.bufferBytes (1GiB) must be at most limits.memory (256MiB)',
  ],
  [
    'batches larger than the buffer',
    { flags: [flag('ship.batchBytes', '2MiB'), flag('ship.bufferBytes', '1MiB')] },
    'ship.batchBytes (2MiB) must be at most ship.bufferBytes (1MiB)',
  ],
]

for (const [title, sources, message] of refused) {
  test(`loadConfig: rejects ${title}`, () => {
    assert.equal(problemOf(sources), `configuration: ${message}`)
  })
}

test('loadConfig: accepts an include list if some of its items can match, or no rule affects it', () => {
  const partly = [flag('filter.include.statuses', '404,200'), flag('filter.include.paths', '/api/**')]
  const { config } = loadConfig({ env: {}, flags: [...partly, flag('filter.paths', '/api/*,/api/v1/**')] })
  assert.deepEqual(config.filter.include.statuses, ['404', '200'])
  loadConfig({ env: {}, flags: [flag('filter.include.statuses', '5xx')], all: true })
})

test('loadConfig: accepts zstd if Node.js supports it, and otherwise names the version that does', () => {
  const flags = [flag('kafka.compression', 'zstd')]
  if ('zstdCompress' in zlib) assert.equal(loadConfig({ env: {}, flags }).config.kafka.compression, 'zstd')
  else assert.match(problemOf({ flags }), /Node\.js 22\.15 or later/)
})

test('loadConfig: reports every problem of every source in one error', () => {
  const file = yaml('ship: { lingr: 1 }\n')
  const message = problemOf({
    file,
    env: { INTERCEPTOR_LOG_LEVEL: 'loud' },
    flags: [flag('kafka.acks', 'some'), flag('nonsense', '1')],
  })
  assert.match(message, /^configuration: 4 problems\n/)
  for (const part of ['ship.lingr', 'log.level: "loud"', 'kafka.acks: "some"', 'nonsense']) {
    assert.ok(message.includes(part), `${part} is not in: ${message}`)
  }
})

test('loadConfig: names the line of broken YAML', () => {
  assert.match(problemOf({ file: yaml('ship:\n  maxAge: [1\n') }), /^configuration: \d+\.yaml:\d: /)
  assert.match(problemOf({ file: yaml('ship: {}\nship: {}\n') }), /\.yaml:2: Map keys must be unique/)
})

test('loadConfig: names a file that does not exist', () => {
  assert.match(
    problemOf({ file: join(folder, 'none.yaml') }),
    /cannot read the configuration file none\.yaml: no such file or directory/,
  )
})
