/**
 * The services of deploy/compose.yaml without Docker: their commands, environments and privileges, on a bridge and with
 * a Kafka of the test.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { reservePorts } from '../../rig/ports.ts'
import { killAtExit } from '../../rig/process-tree.ts'
import { finish, run, start } from '../cli/support.ts'
import { confined } from '../support/agent-container.ts'
import { readCompose, shopCommand } from '../support/compose.ts'

const skip = needs('linux', 'root', 'ip', 'setpriv', 'unshare') || needsKafka()
const TRIES = 40
const SHOP = '10.213.9.2'
const { services } = readCompose()

/** The process ends with the test. */
function keep(t: TestContext, child: ChildProcess): ChildProcess {
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  })
  return child
}

/** A network that includes the host, like Docker's bridge. @returns the name of its interface on the host */
function shopNetwork(t: TestContext): [Namespace, string] {
  const namespace = Namespace.create()
  t.after(() => namespace.delete())
  const name = `itlc${process.pid % 100_000}`
  namespace.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', name, 'netns', '1')
  namespace.ip('addr', 'add', `${SHOP}/24`, 'dev', 'eth0')
  namespace.ip('link', 'set', 'eth0', 'up')
  execFileSync('ip', ['addr', 'add', '10.213.9.1/24', 'dev', name])
  execFileSync('ip', ['link', 'set', name, 'up'])
  return [namespace, name]
}

test('compose: tail prints the customer’s orders', { skip }, async (t) => {
  const broker = new KafkaBroker({ port: await reservePorts(3) })
  t.after(() => broker.remove())
  await broker.start()
  const [namespace, name] = shopNetwork(t)
  const here = { INTERCEPTOR_KAFKA_BROKERS: broker.plaintext, INTERCEPTOR_TARGETS_PROC_ROOT: '/proc' }

  keep(t, namespace.spawn(process.execPath, ...shopCommand(services.shop, '8080')))
  keep(
    t,
    killAtExit(spawn(process.execPath, shopCommand(services.customer, `http://${SHOP}:8080`), { stdio: 'ignore' })),
  )
  const { command, environment, cap_add: capabilities = [] } = services.agent
  const addresses = { INTERCEPTOR_CAPTURE_INTERFACES: name, INTERCEPTOR_ADMIN_ADDRESS: '127.0.0.1:0' }
  const env = { ...environment, ...here, ...addresses }
  const agent = keep(t, start(command, { env, under: confined(capabilities) }))
  const ended = finish(agent)

  const tailEnv = { ...services.tail.environment, ...here }
  // The agent also captures pods that other tests run on this node.
  const shopOnly = ['--where', `server.address == "${SHOP}"`]
  const tail = () => run([...services.tail.command, ...shopOnly, '-o', 'ndjson', '--count', '6'], { env: tailEnv })
  // The first pair creates the topic. The connections may have different partitions, which are read in any order.
  let pairs: { server: object; request: { method: string } }[] = []
  const methods = () => [...new Set(pairs.map(({ request }) => request.method))].sort()
  for (let tries = 0; tries < TRIES && methods().length < 2; tries += 1) {
    const { code, stdout, stderr } = await tail()
    assert.ok(code === 0 || stderr.includes('there is no topic'), stderr)
    pairs = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as (typeof pairs)[number])
    await sleep(500)
  }
  assert.deepEqual(methods(), ['GET', 'POST'])
  assert.deepEqual(pairs[0]?.server, { address: SHOP, port: 8080, pod: null })
  agent.kill('SIGTERM')
  assert.equal((await ended).code, 0)
})
