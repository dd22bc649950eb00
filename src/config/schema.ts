/**
 * The schema of the configuration. Types, validation, defaults, environment names, the JSON Schema and the reference page
 * are derived from it. Parsing converts durations to milliseconds and sizes to bytes.
 *
 * Long sections are in files of their own. combinations.ts rejects values that are valid alone and cannot work together.
 */
import { z } from 'zod'
import { capture } from './capture-section.ts'
import { filter } from './filter-section.ts'
import { kafka } from './kafka-section.ts'
import { choice, cores, duration, flag, integer, leaf, section, size, text } from './key-kinds.ts'
import { targets } from './targets-section.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

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
  cpu: cores(
    0,
    'CPU that the whole process uses on average in live capture, in cores: `0.25` or `250m`. Above it whole connections are shed, so that the others are complete. 0: no limit.',
    0.05,
    1024,
  ),
})

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
  linger: duration(
    '50ms',
    'The longest time that a batch waits for more pairs. Where pairs arrive in bursts more than half of it apart, the batch is sent once none has arrived for a tenth of it.',
    0,
    60_000,
  ),
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

const WORKERS_ERROR = 'must be auto or a whole number from 1 to 64'
/** `host:port`, `[v6]:port` or empty. */
const LISTEN_ADDRESS_ERROR = 'must be host:port, such as 127.0.0.1:9464, or empty'
const LISTEN_ADDRESS = /^$|^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]*):\d{1,5}$/

/** An address has 107 bytes (unix(7)), of which the name that the socket is created under needs some. */
const SOCKET_PATH_BYTES = 90
const SOCKET_ERROR = `must be an absolute path of at most ${SOCKET_PATH_BYTES} bytes, or empty`

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
    targets,
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
      nice: integer(
        10,
        'CPU scheduling priority of all threads but the main one, which answers probes: 0 leaves it unchanged, 19 is the lowest.',
        0,
        19,
      ),
      scheduler: choice(
        ['normal', 'batch', 'idle'],
        'batch',
        'Linux scheduling policy of the same threads. idle: they run only when the CPU has nothing else to do, and lose frames otherwise.',
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
