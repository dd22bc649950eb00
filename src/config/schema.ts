/**
 * The one description of the configuration: types, validation, defaults, environment names, the JSON Schema and the
 * reference page all come from here. Durations become milliseconds and sizes bytes while parsing.
 *
 * Combinations that cannot work are in combinations.ts.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import {
  DURATION_FORMS,
  DURATION_PATTERN,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_FORMS,
  SIZE_PATTERN,
} from './units.ts'

/** How a key is written, beyond its JSON type. Decides how text (environment, flags) is read and values printed. */
export type KeyKind = 'duration' | 'size' | 'integer' | 'boolean' | 'text' | 'choice' | 'list'

/** Each leaf's kind, by its schema. */
export const keyKinds = z.registry<{ kind: KeyKind }>()

/** A leaf of the configuration: its schema, its default as a user would write it, and its line in the reference. */
function key<S extends z.ZodType>(kind: KeyKind, schema: S, fallback: z.input<S>, description: string) {
  const leaf = schema.prefault(fallback as never).meta({ description })
  keyKinds.add(leaf, { kind })
  return leaf
}

function section<T extends z.ZodRawShape>(description: string, shape: T) {
  return z
    .strictObject(shape)
    .prefault({} as never)
    .meta({ description })
}

/** Milliseconds, from `60s` or a bare number. */
function duration(fallback: string, description: string, least = 0, most = 86_400_000 * 30) {
  const error = `is not a duration: write ${DURATION_FORMS}`
  const written = z.union(
    [z.number({ error }).int(error).nonnegative(error), z.string().regex(DURATION_PATTERN, error)],
    {
      error,
    },
  )
  const ms = written.transform((value) => (typeof value === 'number' ? value : (parseDuration(value) ?? Number.NaN)))
  const range = z
    .number()
    .min(least, `must be at least ${formatDuration(least)}`)
    .max(most, `must be at most ${formatDuration(most)}`)
  return key('duration', ms.pipe(range), fallback, description)
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** Bytes, from `64MiB` or a bare number. */
function size(fallback: string | number, description: string, least: number, most: number) {
  const error = `is not a size: write ${SIZE_FORMS}`
  const written = z.union([z.number({ error }).int(error).nonnegative(error), z.string().regex(SIZE_PATTERN, error)], {
    error,
  })
  const bytes = written.transform((value) => (typeof value === 'number' ? value : (parseSize(value) ?? Number.NaN)))
  const range = z
    .number()
    .min(least, `must be at least ${formatSize(least)}`)
    .max(most, `must be at most ${formatSize(most)}`)
  return key('size', bytes.pipe(range), fallback, description)
}

function integer(fallback: number, description: string, least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`
  return key('integer', z.number({ error }).int(error).min(least, error).max(most, error), fallback, description)
}

const flag = (fallback: boolean, description: string) =>
  key('boolean', z.boolean({ error: 'must be true or false' }), fallback, description)

const text = (fallback: string, description: string) =>
  key('text', z.string({ error: 'must be text' }), fallback, description)

function choice<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], description: string) {
  const shown = values.map((value) => (value === '' ? '"" (none)' : value)).join(', ')
  return key('choice', z.enum(values, { error: `must be one of: ${shown}` }), fallback as never, description)
}

/** A list of texts that each match a pattern. Numbers are taken as texts, for a YAML list of bare numbers. */
function list(
  fallback: string[],
  description: string,
  item: { pattern: RegExp; error: string; clean?: (text: string) => string },
) {
  const { pattern, error, clean = (value: string) => value } = item
  const entry = z.union([z.string().regex(pattern, error), z.number().int(error).transform(String)], { error })
  const cleaned = entry.transform((value) => clean(value)).pipe(z.string().regex(pattern, error))
  return key('list', z.array(cleaned, { error: 'must be a list' }), fallback, description)
}

const ANY_TEXT = { pattern: /\S/, error: 'must not be empty' }

/** Header field names: RFC 9110 §5.6.2, token. */
const HEADER_NAME = { pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, error: 'must be a header name, such as X-Debug' }
const MEDIA_TYPE = {
  pattern: /^[^\s/;,]+\/[^\s/;,]+$/,
  error: 'must be a media type without parameters, such as application/json',
  clean: (value: string) => value.toLowerCase(),
}
const STATUS = {
  pattern: /^[1-5](\d\d|xx|XX)$/,
  error: 'must be a status (301) or a class of them (4xx)',
  clean: (value: string) => value.toLowerCase(),
}
const PATH = { pattern: /^\/[^?#\s]*$/, error: 'must be a path that begins with / and has no query, such as /healthz' }

/** `host:port`; a bare host gets Kafka's default port. */
const BROKER = {
  pattern: /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+)(:\d{1,5})?$/,
  error: 'must be host:port, such as kafka-0.kafka:9092',
  clean: (value: string) => (/:\d+$/.test(value) ? value : `${value}:9092`),
}

function isNetwork(value: string): boolean {
  const [address = '', bits = '', ...rest] = value.split('/')
  const family = isIP(address)
  return rest.length === 0 && family !== 0 && /^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

const capture = section('Where frames come from.', {
  source: choice(
    ['auto', 'af-packet', 'cap'],
    'auto',
    'How frames are captured: af-packet (Linux packet sockets), cap (libpcap), or auto, the first that works here.',
  ),
  interfaces: list([], 'Host interfaces the agent watches beside what it discovers.', ANY_TEXT),
  filter: text(
    '',
    'BPF expression, as for tcpdump, ANDed to the built-in filter, which keeps what cannot be HTTP out of the process. Needs libpcap on this machine.',
  ),
  snapLength: size(
    262_144,
    'Bytes captured of each frame. Below the largest segment of the interface (offload makes them up to 64 KiB and, with BIG TCP, larger), bodies have gaps.',
    64,
    16 * MIB,
  ),
  ringBytes: size(
    '8MiB',
    'Kernel ring of each interface. Below 4 MiB, frames over 124 KiB (BIG TCP) are cut.',
    256 * KIB,
    GIB,
  ),
  maxWorkers: integer(
    8,
    'Capture workers at most; there are never more than one for four CPUs. With more interfaces than workers, a worker takes several.',
    1,
    256,
  ),
  promiscuous: flag(false, 'Also capture what is not addressed to the interface.'),
})

const limits = section('Bounds on what is held. What goes over one is counted by reason.', {
  messageBytes: size(
    '1MiB',
    'Largest request or response, counted on the wire: start line, headers, framing and body. A larger one is dismissed with its pair; later pairs of the connection are intact.',
    KIB,
    256 * MIB,
  ),
  pairBytes: size('1MiB', 'Largest pair: the sum of its two messages on the wire.', KIB, 512 * MIB),
  responseTimeout: duration('60s', 'A request without its response after this, in packet time, is abandoned.', 1),
  flows: integer(
    100_000,
    'Connections followed at the same time, over all assemblers. At the bound the idlest goes.',
    16,
    10_000_000,
  ),
  memory: size('256MiB', 'Memory for everything together; the parts are derived from it.', 32 * MIB, 64 * GIB),
})

const filter = section('Which pairs are kept. `--all` sets these rules aside for a run.', {
  contentTypes: list(
    ['application/json', 'application/x-www-form-urlencoded'],
    'A pair is kept if its request or its response has one of these media types (parameters and case ignored). Empty: any type, or none.',
    MEDIA_TYPE,
  ),
  userAgentPrefixes: list(['kube-probe'], 'Requests whose User-Agent begins with one of these are left out.', ANY_TEXT),
  requestHeaders: list(['X-Soveren-Request'], 'Requests that carry one of these headers are left out.', HEADER_NAME),
  statuses: list(
    ['301', '308', '4xx', '5xx'],
    'Pairs whose response has one of these statuses, or is of one of these classes, are left out.',
    STATUS,
  ),
  paths: list(
    ['/metrics', '/healthz', '/api/health', '/api/v2/alive', '/api/v2/detect'],
    'Requests for exactly one of these paths are left out; query, fragment and a trailing slash are ignored.',
    PATH,
  ),
})

const ship = section('Where pairs go, and the buffer they wait in.', {
  sink: choice(['kafka', 'file', 'stdout', 'none'], 'kafka', 'Where pairs go. none counts them and lets them go.'),
  format: choice(['msgpack', 'json'], 'msgpack', 'How a pair is written as a Kafka value or in a file.'),
  decode: flag(
    false,
    'Undo Content-Encoding (gzip, deflate, br, zstd) of bodies on this node, under a limit; off, bodies go as they were sent.',
  ),
  bufferBytes: size(
    '64MiB',
    'Pairs waiting for Kafka. When it is full the oldest are purged and counted as pairs.dropped.bufferBytes.',
    64 * KIB,
    16 * GIB,
  ),
  maxAge: duration('5m', 'Pairs that have waited longer are purged and counted as pairs.dropped.maxAge.', 1),
  linger: duration('50ms', 'How long a batch waits to fill before it is sent.', 0, 60_000),
  batchBytes: size('512KiB', 'A batch is sent when it has this many bytes.', KIB, 64 * MIB),
  file: text('', 'The file for sink: file. One pair a line in JSON, a plain sequence of values in MessagePack.'),
})

const kafka = section('The cluster and topic pairs go to.', {
  brokers: list([], 'Brokers to begin with, as host:port.', BROKER),
  topic: key(
    'text',
    z
      .string({ error: 'must be text' })
      .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, 'must be 1 to 249 letters, digits, dots, dashes or underscores'),
    'interceptor.pairs',
    'The topic.',
  ),
  clientId: text('interceptor', 'Name of this client in the brokers’ logs and quotas.'),
  createTopic: flag(false, 'Create the topic if it is not there, with the broker’s default partitions and replicas.'),
  acks: choice(
    ['none', 'leader', 'all'],
    'leader',
    'When a batch counts as shipped: none (sent), leader (written by the leader), all (written by every in-sync replica).',
  ),
  compression: choice(
    ['none', 'gzip', 'zstd', 'lz4', 'snappy'],
    'none',
    'Compression of a batch. zstd needs Node.js 22.15 or later.',
  ),
  partitionBy: choice(
    ['connection', 'server', 'round-robin'],
    'connection',
    'What decides the partition: the connection (its pairs keep their order), the server’s address, or turns.',
  ),
  tls: section('Encryption to the brokers.', {
    enabled: flag(false, 'Speak TLS to the brokers.'),
    caFile: text('', 'PEM file of the authorities to trust; empty: those Node.js trusts.'),
    certFile: text('', 'PEM file of the client’s certificate.'),
    keyFile: text('', 'PEM file of the client’s key.'),
    serverName: text('', 'Name the brokers’ certificates must carry; empty: the host connected to.'),
  }),
  sasl: section('Authentication to the brokers.', {
    mechanism: choice(['', 'plain', 'scram-sha-256', 'scram-sha-512'], '', 'Empty: no authentication.'),
    username: text('', 'The user.'),
    passwordFile: text('', 'File with the password, such as a mounted Secret. One line break at its end is ignored.'),
  }),
})

const WORKERS_ERROR = 'must be auto or a whole number from 1 to 64'
const PORT_ERROR = 'must be a port number from 1 to 65535'
const PORT = z.number({ error: PORT_ERROR }).int(PORT_ERROR).min(1, PORT_ERROR).max(65535, PORT_ERROR)

/** `host:port`, `[v6]:port` or empty. */
const LISTEN_ADDRESS = /^$|^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]*):\d{1,5}$/

/** The whole configuration. Parsing `{}` gives every default. */
export const configSchema = z
  .strictObject({
    node: section('This node.', {
      name: text(
        '',
        'Name of this node in pairs and metrics. Empty: NODE_NAME from the environment, else the host’s name.',
      ),
    }),
    capture,
    assemble: section('Turning frames into pairs.', {
      workers: key(
        'integer',
        z.union([z.literal('auto'), z.number().int(WORKERS_ERROR).min(1, WORKERS_ERROR).max(64, WORKERS_ERROR)], {
          error: WORKERS_ERROR,
        }),
        'auto',
        'Assembler workers. auto: from the CPU limit, at least 1.',
      ),
    }),
    limits,
    filter,
    ship,
    kafka,
    kubernetes: section('The Kubernetes API, for the names of pods.', {
      enabled: key(
        'boolean',
        z.union([z.literal('auto'), z.boolean()], { error: 'must be auto, true or false' }),
        'auto',
        'Ask the API server for pods. auto: when running in a pod, or kubeconfig is set.',
      ),
      kubeconfig: text('', 'A kubeconfig file; empty: the pod’s service account.'),
      remoteNames: flag(
        false,
        'Also name the pods of other nodes at the far end of a connection. Watches every pod of the cluster.',
      ),
    }),
    targets: section('Which pods of the node are captured.', {
      procRoot: text('/proc', 'Where the host’s /proc is mounted.'),
      namespaces: section('Kubernetes namespaces, as names or globs.', {
        include: list([], 'Only these. Empty: all.', ANY_TEXT),
        exclude: list([], 'None of these.', ANY_TEXT),
      }),
      selector: text('', 'Kubernetes label selector that pods must match.'),
      excludePorts: key('list', z.array(PORT, { error: 'must be a list of port numbers' }), [], 'TCP ports left out.'),
      keep: choice(['server', 'both'], 'server', 'Which views of an exchange inside the cluster are kept.'),
      clusterNetworks: key(
        'list',
        z.array(z.string().refine(isNetwork, 'must be a network such as 10.0.0.0/8'), { error: 'must be a list' }),
        [],
        'Networks of the cluster’s pods and services. Empty: from the API server.',
      ),
    }),
    admin: section('Metrics and health.', {
      address: key(
        'text',
        z.string().regex(LISTEN_ADDRESS, 'must be host:port, such as 127.0.0.1:9464, or empty'),
        '127.0.0.1:9464',
        'Where the agent serves /metrics, /livez and /readyz. Empty: nowhere.',
      ),
    }),
    log: section('What the program says about itself, on standard error.', {
      level: choice(['debug', 'info', 'warn', 'error'], 'info', 'The least severe that is written.'),
    }),
    shutdown: section('Stopping.', {
      timeout: duration('10s', 'How long a stop may take to drain and flush; what is left then is counted as dropped.'),
    }),
  })
  .meta({ title: 'Interceptor configuration', description: 'Durations and sizes carry units.' })

/** The configuration as every stage gets it: durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof configSchema>
