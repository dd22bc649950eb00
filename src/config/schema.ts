/**
 * The schema of the configuration. Types, validation, defaults, environment names, the JSON Schema and the reference page
 * are derived from it. Parsing converts durations to milliseconds and sizes to bytes.
 *
 * combinations.ts rejects values that are valid alone and cannot work together.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { TUNNEL_NAMES, TUNNEL_PATTERN } from '../net/tunnels.ts'
import { choice, choiceInAnyCase, duration, flag, integer, leaf, list, section, size, text } from './key-kinds.ts'
import {
  ARGUMENT_ITEM,
  BROKER_ITEM,
  HEADER_NAME_ITEM,
  HOST_ITEM,
  INTERFACE_ITEM,
  MEDIA_TYPE_ITEM,
  METHOD_ITEM,
  NAMESPACE_ITEM,
  PATH_ITEM,
  POD_ITEM,
  SASL_EXTENSION_ITEM,
  STATUS_ITEM,
  USER_AGENT_PREFIX_ITEM,
  WORKLOAD_ITEM,
} from './list-items.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

function isNetwork(value: string): boolean {
  const [address = '', bits = '', ...rest] = value.split('/')
  const family = isIP(address)
  return rest.length === 0 && family !== 0 && /^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

const capture = section('Live capture.', {
  source: choice(
    ['auto', 'af-packet', 'cap'],
    'auto',
    'How to capture: `af-packet` (Linux packet sockets), `cap` (libpcap), or `auto`: the first of these that works.',
  ),
  interfaces: list(
    [],
    'Interfaces of the host that the agent captures in addition to the pods it discovers.',
    INTERFACE_ITEM,
  ),
  filter: text(
    '',
    'BPF expression as for tcpdump. A frame must match it and the built-in filter, which rejects frames that cannot carry HTTP. Needs libpcap.',
  ),
  tunnels: list(
    [...TUNNEL_NAMES],
    'Tunnels whose inner packets are captured, in `capture`, in `read` and on the `interfaces` above; pods are captured without. A UDP tunnel may name its port, as in `vxlan:6635`; without one it has its usual ports. Empty: none.',
    {
      pattern: TUNNEL_PATTERN,
      error: `must be a tunnel: ${TUNNEL_NAMES.join(', ')}; UDP tunnels also with a port, such as vxlan:6635`,
    },
  ),
  snapLength: size(
    262_144,
    'Bytes captured of each frame. Bodies have gaps if this is below the interface’s largest segment: up to 64 KiB with offload, more with BIG TCP. At most a 64th of `capture.ringBytes`, but at least 124 KiB: for frames of BIG TCP set `capture.ringBytes` to 32MiB.',
    64,
    16 * MIB,
  ),
  ringBytes: size(
    '8MiB',
    'Size of the kernel ring of each interface, of those that the agent captures at most.',
    256 * KIB,
    GIB,
  ),
  initialRingBytes: size(
    '2MiB',
    'Size that the kernel ring of each interface of the agent begins with. Once it does not hold ten seconds of the interface’s traffic, it grows, up to `capture.ringBytes`.',
    256 * KIB,
    GIB,
  ),
  maxWorkers: integer(
    8,
    'Most capture workers, never more than one per four CPUs. A worker captures several interfaces when there are more interfaces than workers.',
    1,
    256,
  ),
  promiscuous: flag(false, 'Also capture frames that are not addressed to the interface.'),
})

const limits = section('Limits on what is held in memory. What exceeds a limit is dropped and counted by reason.', {
  messageBytes: size(
    '1MiB',
    'Largest request or response on the wire: start line, headers, framing and body. A larger one is dropped with its pair; later pairs of the connection are not affected.',
    KIB,
    256 * MIB,
  ),
  pairBytes: size('1MiB', 'Largest pair: both messages on the wire together.', KIB, 512 * MIB),
  responseTimeout: duration(
    '60s',
    'How long a request waits for its response, in packet time, before it is abandoned.',
    1,
  ),
  idleTimeout: duration(
    '30m',
    'A connection without a segment for this long, in packet time, is closed. It bounds how long a response may pause.',
    1000,
  ),
  flows: integer(
    100_000,
    'Most connections tracked at the same time, over all assemblers, as far as they fit into `limits.memory`. At the limit those that carry no HTTP are evicted first, the one idle longest before others.',
    16,
    10_000_000,
  ),
  memory: size('256MiB', 'Memory for captured data. Rings, buffers and pools are sized from it.', 32 * MIB, 64 * GIB),
})

const filter = section(
  'Which pairs are kept. `--all` disables these rules for a run; an empty list disables one of them.',
  {
    contentTypes: list(
      ['application/json', 'application/x-www-form-urlencoded'],
      'A pair is kept if its request or its response has one of these media types. Parameters and case are ignored; `*` and `?` are wildcards (`application/*+json`). Empty: pairs of any type, or of none, are kept.',
      MEDIA_TYPE_ITEM,
    ),
    userAgentPrefixes: list(
      ['kube-probe'],
      'Requests whose User-Agent begins with one of these are filtered. Case matters; there are no wildcards.',
      USER_AGENT_PREFIX_ITEM,
    ),
    requestHeaders: list(['X-Soveren-Request'], 'Requests with one of these headers are filtered.', HEADER_NAME_ITEM),
    statuses: list(
      ['301', '308', '4xx', '5xx'],
      'Pairs whose response has one of these statuses or classes of statuses are filtered.',
      STATUS_ITEM,
    ),
    paths: list(
      ['/metrics', '/healthz', '/api/health', '/api/v2/alive', '/api/v2/detect'],
      'Requests for one of these paths are filtered. Query, fragment and a trailing slash are ignored. `*` matches any text without a slash, `?` one character, `**` any text: `/actuator/**` matches `/actuator` and everything below it.',
      PATH_ITEM,
    ),
    include: section(
      'A pair is kept only if it matches each of these that is set, in addition to passing the rules above. `--all` does not disable them.',
      {
        methods: list([], 'Methods of requests, such as `POST`.', METHOD_ITEM),
        hosts: list(
          [],
          'Host header fields of requests, without the port. `*` and `?` are wildcards (`*.shop.svc.cluster.local`); case does not matter.',
          HOST_ITEM,
        ),
        paths: list(
          [],
          'Paths of requests, as in `filter.paths`: `/api/**` matches `/api` and everything below it.',
          PATH_ITEM,
        ),
        statuses: list(
          [],
          'Statuses of responses or classes of them (`404`, `5xx`). `filter.statuses` still applies: clear it to keep errors.',
          STATUS_ITEM,
        ),
        namespaces: list(
          [],
          'Namespaces, as names or globs: one end of the connection is a pod in one of them.',
          NAMESPACE_ITEM,
        ),
        workloads: list(
          [],
          'Workloads of the pod at one end, as names or globs, with or without the kind: `api`, `Deployment/api-*`.',
          WORKLOAD_ITEM,
        ),
        pods: list([], 'Pods at one end, as names or globs: `api-*`.', POD_ITEM),
        minLatency: duration(
          '0s',
          'The least time from the first byte of the request to the last of the response. 0: any.',
        ),
      },
    ),
  },
)

const ship = section('The destination of pairs, and their buffer.', {
  sink: choice(['kafka', 'file', 'stdout', 'none'], 'kafka', 'The destination of pairs. `none`: count and discard.'),
  format: choice(['msgpack', 'json'], 'msgpack', 'The form of a pair in a Kafka value or a file.'),
  decode: flag(
    false,
    'Undo the Content-Encoding of bodies (gzip, deflate, br, zstd) on this node, up to a limit. Otherwise bodies ship as sent.',
  ),
  bufferBytes: size(
    '64MiB',
    'Size of the buffer for pairs that wait for Kafka. When it is full, the oldest pairs are dropped and counted as `pairs.dropped.bufferBytes`.',
    64 * KIB,
    16 * GIB,
  ),
  maxAge: duration('5m', 'Pairs that have waited longer are dropped and counted as `pairs.dropped.maxAge`.', 1),
  linger: duration('50ms', 'How long a batch waits to fill before it is sent.', 0, 60_000),
  batchBytes: size('512KiB', 'A batch is sent once it has this many bytes.', KIB, 64 * MIB),
  file: text('', 'The file of `ship.sink: file`: one pair per line in JSON, a sequence of values in MessagePack.'),
  fileMaxBytes: size(
    0,
    'A file that reaches this size is renamed to its name and the time, and a new one is started. 0: never.',
    0,
    1024 * GIB,
  ),
  fileMaxAge: duration('0s', 'A file that reaches this age is rotated in the same way. 0: never.'),
  fileKeep: integer(0, 'Rotated files to keep. 0: all.', 0, 100_000),
})

const kafka = section('The Kafka cluster and topic.', {
  brokers: list([], 'Bootstrap brokers, as host:port.', BROKER_ITEM),
  topic: leaf(
    'text',
    z
      .string({ error: 'must be text' })
      .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, 'must be 1 to 249 letters, digits, dots, dashes or underscores'),
    'interceptor.pairs',
    'The topic.',
  ),
  clientId: text('interceptor', 'Name of this client in the brokers’ logs and quotas.'),
  createTopic: flag(false, 'Create the topic if it does not exist, with the broker’s default partitions and replicas.'),
  acks: choice(
    ['none', 'leader', 'all'],
    'leader',
    'When a batch counts as shipped: `none` (sent), `leader` (written by the leader), `all` (written by every in-sync replica).',
  ),
  compression: choice(
    ['none', 'gzip', 'zstd', 'lz4', 'snappy'],
    'none',
    'Compression of a batch. `none` costs the node least; `lz4` saves most bytes for its CPU time. `zstd` needs Node.js 22.15 or later.',
  ),
  partitionBy: choice(
    ['connection', 'server', 'round-robin'],
    'connection',
    'What selects the partition: the connection, whose pairs stay in order, the server’s address, or round-robin.',
  ),
  tls: section('Encryption to the brokers.', {
    enabled: flag(false, 'Use TLS.'),
    caFile: text('', 'PEM file of the trusted certificate authorities. Empty: those that Node.js trusts.'),
    certFile: text('', 'PEM file of the client’s certificate.'),
    keyFile: text('', 'PEM file of the client’s key.'),
    serverName: text('', 'Name that the brokers’ certificates must contain. Empty: the name of the host connected to.'),
  }),
  sasl: section('Authentication to the brokers.', {
    mechanism: choiceInAnyCase(
      ['', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam'],
      '',
      'Empty: no authentication. Kafka’s own spelling is accepted too: `SCRAM-SHA-512`, `AWS_MSK_IAM`.',
    ),
    username: text('', 'The user name, for plain and scram.'),
    passwordFile: text('', 'File with the password, such as a mounted Secret. A line break at its end is ignored.'),
    tokenFile: text(
      '',
      'File with the bearer token (oauthbearer) or with AWS credentials as credential_process prints them (aws-msk-iam). Read each time a connection authenticates.',
    ),
    tokenCommand: list(
      [],
      'Program and arguments that print what tokenFile would hold. Run without a shell each time a connection authenticates; it has 8 seconds.',
      ARGUMENT_ITEM,
    ),
    extensions: list(
      [],
      'SASL extensions sent with a bearer token, such as logicalCluster=lkc-1.',
      SASL_EXTENSION_ITEM,
    ),
    awsRegion: text('', 'AWS region, for aws-msk-iam. Empty: from the broker’s name, else AWS_REGION.'),
  }),
})

const WORKERS_ERROR = 'must be auto or a whole number from 1 to 64'
const PORT_ERROR = 'must be a port number from 1 to 65535'
const PORT = z.number({ error: PORT_ERROR }).int(PORT_ERROR).min(1, PORT_ERROR).max(65535, PORT_ERROR)

/** `host:port`, `[v6]:port` or empty. */
const LISTEN_ADDRESS_ERROR = 'must be host:port, such as 127.0.0.1:9464, or empty'
const LISTEN_ADDRESS = /^$|^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]*):\d{1,5}$/

/** An address has 107 bytes (unix(7)), of which the name that the socket is created under needs some. */
const SOCKET_PATH_BYTES = 90
const SOCKET_ERROR = `must be an absolute path of at most ${SOCKET_PATH_BYTES} bytes, or empty`

const INTERFACE_ERROR = 'must be an interface name, a glob, lo or pod'

/** A rule of `targets.interfaces`. */
const interfaceRule = z.strictObject(
  {
    namespaces: z.array(z.string().regex(/\S/, 'must not be empty'), { error: 'must be a list' }).default([]),
    workload: z
      .string({ error: 'must be text' })
      .regex(/^$|^[^/]+\/[^/]+$/, 'must be a kind and a name, such as Deployment/api')
      .default(''),
    selector: z.string({ error: 'must be text' }).default(''),
    interfaces: z
      .array(z.string({ error: INTERFACE_ERROR }).regex(/^[^\s,/]{1,15}$/, INTERFACE_ERROR), {
        error: 'must be a list of interfaces',
      })
      .min(1, 'must name an interface'),
  },
  { error: 'must be a rule with interfaces' },
)

/** The whole configuration. Parsing `{}` returns the defaults. */
export const configSchema = z
  .strictObject({
    node: section('This node.', {
      name: text(
        '',
        'Name of this node in pairs and metrics. Empty: NODE_NAME from the environment, else the host name.',
      ),
    }),
    capture,
    assemble: section('Assembly of frames into pairs.', {
      workers: leaf(
        'integer',
        z.union([z.literal('auto'), z.number().int(WORKERS_ERROR).min(1, WORKERS_ERROR).max(64, WORKERS_ERROR)], {
          error: WORKERS_ERROR,
        }),
        'auto',
        'Assembler workers. auto: half of the CPUs that the process may use, 1 to 8; 1 for files.',
      ),
      incompleteResponses: flag(false, 'Also keep responses that end before they are complete.'),
    }),
    limits,
    filter,
    ship,
    kafka,
    kubernetes: section('The Kubernetes API, which names the pods.', {
      enabled: leaf(
        'boolean',
        z.union([z.literal('auto'), z.boolean()], { error: 'must be auto, true or false' }),
        'auto',
        'Query the API server for pods. auto: if the program runs in a pod or `kubernetes.kubeconfig` is set.',
      ),
      kubeconfig: text('', 'A kubeconfig file. Empty: the pod’s service account.'),
      remoteNames: flag(
        false,
        'Also name pods of other nodes at the remote end of a connection. Watches every pod of the cluster.',
      ),
    }),
    targets: section('Which pods of the node the agent captures.', {
      procRoot: text('/proc', 'Where the host’s /proc is mounted.'),
      namespaces: section('Kubernetes namespaces, as names or with the wildcards `*` and `?`.', {
        include: list([], 'Capture only these. Empty: all.', NAMESPACE_ITEM),
        exclude: list([], 'Capture none of these.', NAMESPACE_ITEM),
      }),
      selector: text('', 'Kubernetes label selector. Only matching pods are captured.'),
      interfaces: leaf(
        'rules',
        z.array(interfaceRule, { error: 'must be a list of rules' }),
        [],
        'On which interfaces pods are captured, in place of the default. The first rule that matches a pod applies; the pod’s annotation `interceptor.dev/interfaces` takes precedence. A rule has `interfaces` (names or globs; `lo`: loopback; `pod`: the interface of the default route) and, to select pods, `namespaces` (names or globs), `workload` (such as `Deployment/api`, globs) and `selector` (labels).',
      ),
      excludePorts: leaf(
        'list',
        z.array(PORT, { error: 'must be a list of port numbers' }),
        [],
        'TCP ports that are not captured.',
      ),
      keep: choice(
        ['server', 'both'],
        'server',
        'Which captures of an exchange inside the cluster are kept: the server’s only, or those of both sides.',
      ),
      clusterNetworks: leaf(
        'list',
        z.array(z.string().refine(isNetwork, 'must be a network such as 10.0.0.0/8'), { error: 'must be a list' }),
        [],
        'Networks of the cluster’s pods and Services. Empty: read from the API server.',
      ),
    }),
    admin: section('Metrics and health.', {
      address: leaf(
        'text',
        z
          .string()
          .regex(LISTEN_ADDRESS, { error: LISTEN_ADDRESS_ERROR, abort: true })
          .refine(
            (address) => address === '' || Number(address.slice(address.lastIndexOf(':') + 1)) <= 65_535,
            LISTEN_ADDRESS_ERROR,
          ),
        '127.0.0.1:9464',
        'Address at which the agent serves /metrics, /livez and /readyz. Empty: none.',
      ),
    }),
    tap: section('The tap, which `tail --agent` and `top --agent` read on the agent’s machine.', {
      socket: leaf(
        'text',
        z
          .string({ error: 'must be text' })
          .regex(/^$|^\/.*[^/]$/, { error: SOCKET_ERROR, abort: true })
          .refine((path) => Buffer.byteLength(path) <= SOCKET_PATH_BYTES, SOCKET_ERROR),
        '/run/interceptor/tap.sock',
        'The unix socket on which the agent serves the pairs that it ships, to programs of its own user only. Empty: none.',
      ),
    }),
    priority: section('The priority of the agent on its host. It is only ever lowered.', {
      nice: integer(10, 'CPU scheduling priority of all threads: 0 leaves it unchanged, 19 is the lowest.', 0, 19),
      scheduler: choice(
        ['normal', 'batch', 'idle'],
        'batch',
        'Linux scheduling policy. idle: the agent runs only when the CPU has nothing else to do, and loses frames otherwise.',
      ),
      io: choice(['normal', 'idle'], 'idle', 'I/O class. idle: file access only when no other process needs the disk.'),
      oomScoreAdjust: integer(
        500,
        'How readily the kernel kills the agent when the host runs out of memory; 0 leaves it unchanged. Pods that the kubelet protects (a negative value) stay protected.',
        0,
        1000,
      ),
    }),
    log: section('The log on standard error.', {
      level: choice(['debug', 'info', 'warn', 'error'], 'info', 'The least severe level that is logged.'),
    }),
    shutdown: section('Shutdown.', {
      timeout: duration(
        '10s',
        'Time to drain and flush at a shutdown. Pairs that remain after it are counted as `pairs.dropped.shutdown`.',
      ),
    }),
  })
  .meta({ title: 'Interceptor configuration', description: 'Durations and sizes are numbers with units.' })

/** The parsed configuration: durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof configSchema>
