/** Ways to connect and authenticate to a real Kafka, and the errors where the port requires another one. */
import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KAFKA_PASSWORD, KAFKA_USER, KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { reservePorts } from '../../rig/ports.ts'
import { defaultConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { kafkaChecks } from '../../src/doctor/kafka-checks.ts'
import { makePair, until } from '../ship/support.ts'
import { assertOrderPerKey, configFor, readTopic, shipTo } from './kafka-support.ts'

const PORT = await reservePorts(6)
const OAUTH = `127.0.0.1:${PORT + 3}`
const IPV6 = `[::1]:${PORT + 4}`
const SASL_PLAIN = `127.0.0.1:${PORT + 5}`
const SESSION_MS = 3_000

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

/** The broker's listeners: those of KafkaBroker, and ones for bearer tokens, an IPv6 literal, and SASL without TLS. */
function properties(): string[] {
  const listeners = [
    `PLAINTEXT://127.0.0.1:${PORT}`,
    `SASL_SSL://localhost:${PORT + 1}`,
    `OAUTH://${OAUTH}`,
    ...(hasIpv6 ? [`SIX://${IPV6}`] : []),
    `SASL_PLAINTEXT://${SASL_PLAIN}`,
  ].join(',')
  const oauth = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required'
  return [
    `listeners=${listeners},CONTROLLER://127.0.0.1:${PORT + 2}`,
    `advertised.listeners=${listeners}`,
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,OAUTH:SASL_PLAINTEXT,SIX:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
    'listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER',
    `listener.name.oauth.oauthbearer.sasl.jaas.config=${oauth} unsecuredLoginStringClaim_sub="broker";`,
    'listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN',
    'listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required ' +
      `username="${KAFKA_USER}" password="${KAFKA_PASSWORD}" user_${KAFKA_USER}="${KAFKA_PASSWORD}";`,
    `connections.max.reauth.ms=${SESSION_MS}`,
  ]
}

/** An unsecured JWS (RFC 7515 appendix A.5), which Kafka's own validator for tests accepts. */
function bearerToken(lifetimeSeconds: number): string {
  const now = Math.floor(Date.now() / 1000)
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode({ alg: 'none' })}.${encode({ sub: 'agent', iat: now, exp: now + lifetimeSeconds })}.`
}

type Sasl = Partial<Config['kafka']['sasl']>

suite('kafka: connection and authentication with a real broker', { skip: needsKafka(), concurrency: true }, () => {
  let broker: KafkaBroker
  let passwordFile: string
  const file = (name: string, content: string): string => {
    const path = join(broker.folder, name)
    writeFileSync(path, content)
    return path
  }
  const sasl = (overrides: Sasl) => ({ ...defaultConfig().kafka.sasl, ...overrides })
  const tls = () => ({ ...defaultConfig().kafka.tls, enabled: true, caFile: broker.caFile })

  before(async () => {
    broker = new KafkaBroker({ port: PORT, properties: properties() })
    passwordFile = file('password', KAFKA_PASSWORD)
    await broker.start()
  })
  after(() => broker?.remove())

  /** Ships for longer than a few sessions last. */
  async function shipForSessions(topic: string, kafka: Partial<Config['kafka']>): Promise<void> {
    await broker.createTopic(topic)
    const run = shipTo(configFor(broker, topic, { kafka }))
    const end = Date.now() + 3 * SESSION_MS
    let number = 0
    for (; Date.now() < end; number += 1) {
      await run.put(number, { connection: number % 5 })
      run.flush()
      await sleep(20)
    }
    await run.finish()
    assert.equal(run.counter('shipped'), number)
    assert.deepEqual(
      run.logs.filter((line) => /unreachable|refuses|accept/.test(line)),
      [],
    )
    assertOrderPerKey(readTopic(broker, topic), number)
  }

  test('kafka: ships over sessions shorter than ten seconds and reauthenticates meanwhile', async () => {
    const mechanism = 'scram-sha-512'
    const kafka = {
      brokers: [broker.saslSsl],
      tls: tls(),
      sasl: sasl({ mechanism, username: KAFKA_USER, passwordFile }),
    }
    await shipForSessions('short-sessions', kafka)
  })

  test('kafka: authenticates with OAUTHBEARER and a token renewed in its file', async () => {
    const tokenFile = file('token', bearerToken(4))
    // Replace the file by a rename, like the kubelet, so that no reader sees half a token.
    const renewing = setInterval(() => renameSync(file('token.new', bearerToken(4)), tokenFile), 1_000)
    try {
      await shipForSessions('bearer-file', { brokers: [OAUTH], sasl: sasl({ mechanism: 'oauthbearer', tokenFile }) })
    } finally {
      clearInterval(renewing)
    }
  })

  test('kafka: authenticates with OAUTHBEARER and a token from a command', async () => {
    const program = `const claims = { sub: 'agent', iat: Date.now() / 1000 | 0, exp: (Date.now() / 1000 | 0) + 60 }
      const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
      console.log(encode({ alg: 'none' }) + '.' + encode(claims) + '.')`
    const tokenCommand = [process.execPath, '-e', program]
    const kafka = { brokers: [OAUTH], sasl: sasl({ mechanism: 'oauthbearer', tokenCommand }) }
    const run = shipTo(configFor(broker, 'bearer-command', { kafka }))
    await run.put(1)
    await run.finish()
    assert.equal(run.counter('shipped'), 1)
  })

  test('kafka: a rejected token is reported with the broker’s response, and replaced once the file changes', async () => {
    const tokenFile = file('expired', bearerToken(-60))
    const kafka = { brokers: [OAUTH], sasl: sasl({ mechanism: 'oauthbearer', tokenFile }) }
    const run = shipTo(configFor(broker, 'bearer-refused', { kafka }))
    await run.put(1)
    run.flush()
    const refusal = /Kafka refuses this client: the broker refuses the token: .*invalid_token/
    await until('it is reported', () => run.logs.some((line) => refusal.test(line)))
    writeFileSync(tokenFile, bearerToken(60))
    await until('the pair is shipped', () => run.counter('shipped') === 1)
    await run.finish()
  })

  test('kafka: MSK IAM is refused by a broker without it', async () => {
    const tokenFile = file('credentials', '{"AccessKeyId":"a","SecretAccessKey":"b"}')
    const settings = sasl({ mechanism: 'aws-msk-iam', tokenFile, awsRegion: 'eu-west-1' })
    const config = configFor(broker, 'msk', { kafka: { brokers: [SASL_PLAIN], sasl: settings } })
    const last = await lastCheck(config)
    assert.match(last.found, /SASL mechanism/)
  })

  test('kafka: connects to a broker at an IPv6 address', {
    skip: hasIpv6 ? false : 'this machine has no IPv6',
  }, async () => {
    const config = configFor(broker, 'ipv6', { kafka: { brokers: [IPV6] } })
    const run = shipTo(config)
    await run.put(1)
    await run.finish()
    assert.equal(run.counter('shipped'), 1)
    const states: string[] = []
    for await (const { state } of kafkaChecks(config)) states.push(state)
    assert.ok(!states.includes('failed'), states.join())
  })

  async function lastCheck(config: Config) {
    const checks = []
    for await (const check of kafkaChecks(config)) checks.push(check)
    const last = checks.at(-1)
    assert.ok(last !== undefined && last.state === 'failed', JSON.stringify(checks))
    return last
  }

  /** The doctor's output for a way to connect, and a run's log of it. */
  async function reports(kafka: Partial<Config['kafka']>): Promise<string[]> {
    const config = configFor(broker, 'never', { kafka })
    const { found, hint } = await lastCheck(config)
    const run = shipTo(config, { whenFull: 'drop', shutdownTimeoutMs: 100 })
    await run.putPair(makePair(1))
    run.flush()
    const isReport = (line: string): boolean => /^Kafka (is unreachable|refuses)/.test(line)
    await until('it is reported', () => run.logs.some(isReport))
    await run.finish()
    return [`${found}: ${hint}`, run.logs.find(isReport) ?? '']
  }

  test('kafka: run and doctor suggest TLS and SASL to a plaintext client at a TLS or SASL port', async () => {
    for (const port of [broker.saslSsl, SASL_PLAIN]) {
      for (const report of await reports({ brokers: [port] })) {
        assert.match(report, /kafka\.tls\.enabled/, port)
        assert.match(report, /kafka\.sasl\.mechanism/, port)
      }
    }
  })

  test('kafka: disabling TLS is suggested to a TLS client at a plaintext port', async () => {
    for (const report of await reports({ brokers: [broker.plaintext], tls: tls() })) {
      assert.match(report, /not speak TLS/)
    }
  })

  test('kafka: SASL is suggested to a TLS client without SASL at a SASL port', async () => {
    for (const report of await reports({ brokers: [broker.saslSsl], tls: tls() })) {
      assert.match(report, /kafka\.sasl\.mechanism/)
    }
  })

  test('kafka: reports a SASL client at a TLS port and at a port without SASL', async () => {
    const settings = sasl({ mechanism: 'plain', username: KAFKA_USER, passwordFile })
    for (const report of await reports({ brokers: [broker.saslSsl], sasl: settings })) {
      assert.match(report, /kafka\.tls\.enabled/)
    }
    for (const report of await reports({ brokers: [broker.plaintext], sasl: settings })) {
      assert.match(report, /authentication|kafka\.sasl/)
    }
  })
})
