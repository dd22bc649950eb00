/** Authentication messages and the sources of their secrets; test/e2e/kafka-auth.test.ts uses real brokers. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { AuthenticationProviderArgs, Mechanism } from 'kafkajs'
import { defaultConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { parseCredentials, saslOptions } from '../../src/kafka/sasl.ts'

type SaslSettings = Config['kafka']['sasl']

const folder = mkdtempSync(join(tmpdir(), 'sasl-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** Authenticates with a broker that answers `reply`. @returns what was sent */
async function authenticate(settings: Partial<SaslSettings>, reply = '', host = 'broker'): Promise<string> {
  const { authenticationProvider } = saslOptions({ ...defaultConfig().kafka.sasl, ...settings }) as Mechanism
  let sent = ''
  const saslAuthenticate: AuthenticationProviderArgs['saslAuthenticate'] = async ({ request, response }) => {
    const encoded = await request.encode()
    assert.equal(encoded.readInt32BE(0), encoded.length - 4)
    sent = encoded.toString('utf8', 4)
    const length = Buffer.alloc(4)
    length.writeInt32BE(reply.length)
    return response?.parse(await response.decode(Buffer.concat([length, Buffer.from(reply)])))
  }
  const args = { host, port: 9092, saslAuthenticate } as unknown as AuthenticationProviderArgs
  await authenticationProvider(args).authenticate()
  return sent
}

test('sasl: reads a bearer token from its file at each authentication', async () => {
  const tokenFile = file('token', 'first\n')
  assert.equal(await authenticate({ mechanism: 'oauthbearer', tokenFile }), 'n,,\x01auth=Bearer first\x01\x01')
  writeFileSync(tokenFile, 'second')
  assert.equal(await authenticate({ mechanism: 'oauthbearer', tokenFile }), 'n,,\x01auth=Bearer second\x01\x01')
})

test('sasl: reads a bearer token from a command run without a shell, and appends extensions', async () => {
  const tokenCommand = [process.execPath, '-e', 'console.log(process.argv[1])', '$(id)']
  const sent = await authenticate({ mechanism: 'oauthbearer', tokenCommand, extensions: ['logicalCluster=lkc-1'] })
  assert.equal(sent, 'n,,\x01auth=Bearer $(id)\x01logicalCluster=lkc-1\x01\x01')
})

test('sasl: a rejected token is an error with the broker’s response', async () => {
  const tokenFile = file('bad', 'secret-token')
  await assert.rejects(authenticate({ mechanism: 'oauthbearer', tokenFile }, '{"status":"invalid_token"}'), {
    name: 'RefusedError',
    message: 'the broker refuses the token: {"status":"invalid_token"}',
  })
})

test('sasl: no error of a token’s source quotes a token', async () => {
  const script = file('fails', '#!/bin/sh\necho secret-token; echo "no login" >&2; exit 3\n')
  chmodSync(script, 0o755)
  const cases: [Partial<SaslSettings>, RegExp][] = [
    [{ tokenCommand: [script, 'secret-argument'] }, /tokenCommand: it ended with code 3: no login$/],
    [{ tokenCommand: [join(folder, 'none')] }, /tokenCommand: .*ENOENT/],
    [{ tokenFile: join(folder, 'none') }, /tokenFile: cannot read .*none: no such file or directory/],
    [{ tokenFile: file('empty', ' \n') }, /tokenFile gives no token/],
  ]
  for (const [settings, expected] of cases) {
    await assert.rejects(authenticate({ mechanism: 'oauthbearer', ...settings }), (error: Error) => {
      assert.match(error.message, expected)
      return !/secret/.test(error.message)
    })
  }
})

const CREDENTIALS = { Version: 1, AccessKeyId: 'AKIA1', SecretAccessKey: 'secret', SessionToken: 'session' }

test('sasl: MSK IAM signs for the connected broker, with credentials from a file', async () => {
  const tokenFile = file('credentials', JSON.stringify(CREDENTIALS))
  const host = 'b-1.c.abc.c2.kafka.eu-west-1.amazonaws.com'
  const sent = JSON.parse(await authenticate({ mechanism: 'aws-msk-iam', tokenFile }, '', host)) as Record<
    string,
    string
  >
  assert.equal(sent['host'], host)
  assert.match(sent['x-amz-credential'], /^AKIA1\/\d{8}\/eu-west-1\/kafka-cluster\/aws4_request$/)
  assert.equal(sent['x-amz-security-token'], 'session')
})

test('sasl: MSK IAM reads the region from the configuration and credentials from the environment', async () => {
  const before = { ...process.env }
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIA2', AWS_SECRET_ACCESS_KEY: 'secret' })
  try {
    const sent = await authenticate({ mechanism: 'aws-msk-iam', awsRegion: 'sa-east-1' })
    const { 'x-amz-credential': credential } = JSON.parse(sent) as Record<string, string>
    assert.match(credential, /^AKIA2\/\d{8}\/sa-east-1\//)
  } finally {
    process.env = before
  }
})

test('sasl: MSK IAM without region or credentials reports what to set', async () => {
  const tokenFile = file('credentials-2', JSON.stringify(CREDENTIALS))
  await assert.rejects(authenticate({ mechanism: 'aws-msk-iam', tokenFile }), /set kafka\.sasl\.awsRegion/)
  await assert.rejects(
    authenticate({ mechanism: 'aws-msk-iam', awsRegion: 'x' }),
    /no AWS credentials: set kafka\.sasl/,
  )
})

test('sasl: malformed credentials are rejected without being quoted', () => {
  for (const text of ['secret', '{"SecretAccessKey":"secret"}', 'null', '[]']) {
    assert.throws(
      () => parseCredentials(text),
      (error: Error) => error.name === 'RefusedError' && !error.message.includes('"secret"'),
    )
  }
  assert.equal(parseCredentials('{"AccessKeyId":"a","SecretAccessKey":"b"}').sessionToken, null)
})
