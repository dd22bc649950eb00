/**
 * Pods start, stop and reuse each other's addresses while requests run: no exchange of a lasting pod is lost or
 * duplicated, and each pair names the pod that held the address at the time. (agent-kube.test.ts kills the API server.)
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { temporaryFolder } from '../../rig/at-exit.ts'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needsKubeApiserver } from '../../rig/kube-apiserver.ts'
import { needs } from '../../rig/needs.ts'
import { NodeRig, type RigPod } from '../../rig/node-rig.ts'
import { count, type Ledger } from '../../src/ledger/ledger.ts'
import { AgentRig, request, type SeenPair, serveIn, uniquePath, until } from '../support/agent-rig.ts'
import { deletePod } from '../support/kube-apiserver-objects.ts'
import { KubeRig } from '../support/kube-rig.ts'
import { assertLaws } from '../support/ledger.ts'

const skip = needs('linux', 'root', 'ip', 'cgroup', 'unshare') || needsKubeApiserver()
const PORT = 8080
/** An address that pods hold one after another. */
const SHARED_HOST = 99
const ROUNDS = 4

suite('agent: following under traffic', { skip, timeout: 360_000 }, () => {
  let kube: KubeRig
  before(async () => {
    kube = await KubeRig.start({ n1: ['10.244.0.0/24'] })
  })
  after(() => kube?.remove())

  /** The numbers of the requests that became pairs, in order. */
  const numbers = (pairs: readonly SeenPair[]): number[] =>
    pairs.map(({ request: { target } }) => Number(target.split('/').at(-1))).sort((left, right) => left - right)

  const names = (pairs: readonly SeenPair[]): string[] => [
    ...new Set(pairs.map(({ client, server }) => `${client.pod?.name} → ${server.pod?.name}`)),
  ]

  test('agent: pairs of lasting and short-lived pods are complete and have the correct names', async (t) => {
    const rig = await NodeRig.createApart(t, cgroupMount('v1') === null ? 'v2' : 'v1')
    const make = (name: string, host?: number): Promise<RigPod> => kube.pod(rig, { name, node: 'n1' }, host)
    const [client, steady] = [await make('client'), await make('steady')]
    await client.run('client')
    await serveIn(steady, PORT)
    const summary = join(temporaryFolder('following-'), 'summary.json')
    const agent = await AgentRig.create(t, [client.namespace!, steady.namespace!], {
      // The ring holds what arrives while the capture worker waits for a CPU.
      settings: [...kube.settings('n1'), 'capture.initialRingBytes=8MiB'],
      args: ['--summary', summary],
      under: rig.within(false),
    })
    const path = uniquePath()
    let running = true
    t.after(() => {
      running = false
    })
    const traffic = Array.from({ length: 2 }, async (_, lane) => {
      const answered: number[][] = []
      for (let turn = 0; running; turn += 1) {
        const url = `http://${steady.addresses[0]}:${PORT}${path}/steady/${lane}-${turn}`
        answered.push(await request(client.namespace, url, 200, { pauseMs: 3 }))
      }
      return answered
    })
    const passing: number[][] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const name = `passing-${round}`
      const pod = await make(name, SHARED_HOST)
      await serveIn(pod, PORT)
      await agent.logged('captured', { pod: name })
      passing.push(await request(client.namespace, `http://${pod.addresses[0]}:${PORT}${path}/${name}`, 20))
      await rig.end(pod)
      await deletePod(kube.cluster, 'default', name)
    }
    running = false
    const steadily = await Promise.all(traffic)
    await until('the last pair', () => agent.pairs(`${path}/steady/0-${steadily[0].length - 1}/199`).length > 0)
    assert.equal(await agent.end(), 0)
    const ledger = JSON.parse(readFileSync(summary, 'utf8')) as Ledger
    assertLaws(ledger)
    // A machine that starves the agent shows in these counts, and not as an exchange that is missing without a reason.
    for (const lost of ['frames.kernelDropped', 'frames.kernelShed', 'frames.dropped', 'pairs.dropped']) {
      assert.equal(count(ledger, lost), 0, lost)
    }

    for (const [lane, turns] of steadily.entries()) {
      for (const [turn, answered] of turns.entries()) {
        assert.equal(answered.length, 200)
        const pairs = agent.pairs(`${path}/steady/${lane}-${turn}/`)
        assert.deepEqual(numbers(pairs), answered)
        assert.deepEqual(names(pairs), ['client → steady'])
      }
    }
    for (const [round, answered] of passing.entries()) {
      assert.equal(answered.length, 20)
      const pairs = agent.pairs(`${path}/passing-${round}/`)
      assert.deepEqual(numbers(pairs), answered)
      assert.deepEqual(names(pairs), [`client → passing-${round}`])
    }
    const total = steadily.flat(2).length + passing.flat().length
    assert.equal(new Set(agent.pairs(path).map(({ id }) => id)).size, total)
    t.diagnostic(`${total} exchanges, ${ROUNDS} pods at one address`)
  })
})
