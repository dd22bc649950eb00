/** The section `kafka` of the configuration: cluster, topic, encryption and authentication. */
import { z } from 'zod'
import { choice, choiceInAnyCase, flag, leaf, list, section, text } from './key-kinds.ts'
import { ARGUMENT_ITEM, BROKER_ITEM, SASL_EXTENSION_ITEM } from './list-items.ts'

export const kafka = section('The Kafka cluster and topic.', {
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
