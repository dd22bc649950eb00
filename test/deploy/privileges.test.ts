/**
 * The capabilities of the chart are enough, and each is needed: the program runs with exactly that bounding set, without
 * new privileges and on a read-only root, as its container does.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { finish, run, start } from '../cli/support.ts'
import { addedCapabilities, confined } from '../support/agent-container.ts'
import { cgroupMount } from '../support/cgroup-mount.ts'
import { agentPod, render, valueSet } from '../support/chart.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'
import { needsKubeTools } from '../support/kube-tools.ts'
import { needs } from '../support/needs.ts'
import { Namespace } from '../support/netns.ts'
import { NodeRig, type RigPod } from '../support/node-rig.ts'

const skip = needs('linux', 'root', 'setpriv', 'unshare', 'ip', 'cgroup') || needsKubeTools()
const PORT = 21410

/** What is looked at of `pods -o json`. */
interface Found {
  pods: { uid: string }[]
  denied: number
}

/** What the chart adds, as `[NET_RAW, …]`. */
const chartCapabilities = (): string[] => addedCapabilities(agentPod(render(...valueSet('minimal'))).spec.containers[0])

/** A node with one pod, whose process has all capabilities. */
async function podOn(t: TestContext): Promise<RigPod> {
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const pod = rig.pod()
  await pod.run('shop')
  return pod
}

test('privileges: with the chart’s capabilities pods are found, as with all of them', { skip }, async (t) => {
  const pod = await podOn(t)
  const found: Found[] = []
  for (const under of [[], confined(chartCapabilities())]) {
    const { code, stdout, stderr } = await run(['pods', '-o', 'json'], { under })
    assert.equal(code, 0, stderr)
    found.push(JSON.parse(stdout) as Found)
  }
  const [asRoot, confinedRun] = found
  assert.ok(confinedRun?.pods.some(({ uid }) => uid === pod.uid))
  // A machine's first process may hide from root too.
  assert.equal(confinedRun?.denied, asRoot?.denied)
})

test('privileges: with the chart’s capabilities doctor misses nothing', { skip }, async () => {
  const { code, stdout } = await run(['doctor'], { under: confined(chartCapabilities()) })
  assert.equal(code, 0, stdout)
  assert.match(stdout, /✓ packet sockets: CAP_NET_RAW.*✓ namespaces of pods: CAP_SYS_ADMIN/s)
})

/** By capability: what fails without it, and how it is told. */
const NEEDED: Record<string, [command: string, code: number, said: RegExp]> = {
  NET_RAW: ['doctor', 4, /✗ packet sockets: .*CAP_NET_RAW/],
  SYS_ADMIN: ['doctor', 0, /! namespaces of pods: not permitted .*SYS_ADMIN/],
  SYS_PTRACE: ['pods', 4, /do not show the network namespace.*SYS_PTRACE/s],
}

for (const [missing, [command, expected, said]] of Object.entries(NEEDED)) {
  test(`privileges: without ${missing}, ${command} says so`, { skip }, async () => {
    const rest = chartCapabilities().filter((name) => name !== missing)
    const { code, stdout, stderr } = await run([command], { under: confined(rest) })
    assert.equal(code, expected, stderr)
    assert.match(stdout + stderr, said)
  })
}

test('privileges: the chart adds nothing that is not needed', { skip }, () => {
  assert.deepEqual(chartCapabilities().sort(), Object.keys(NEEDED).sort())
})

test('privileges: with NET_RAW alone, an interface is captured', { skip }, async (t) => {
  const [left, right] = Namespace.pair()
  t.after(() => {
    left.delete()
    right.delete()
  })
  const server = await serveHttp(right, PORT, 1000)
  t.after(() => endServer(server))
  const under = ['ip', 'netns', 'exec', left.name, ...confined(['NET_RAW'])]
  const child = start(['capture', '-i', 'eth0', '--all', '-c', '1', '-o', 'ndjson'], { under })
  const finished = finish(child)
  const closed = once(child, 'close').then(() => true)
  while (!(await Promise.race([closed, sleep(200, false)]))) requestHttp(left, `http://10.77.0.2:${PORT}/`, 1)
  const { code, stdout, stderr } = await finished
  assert.equal(code, 0, stderr)
  assert.equal((JSON.parse(stdout) as { server: { port: number } }).server.port, PORT)
})

test('privileges: the host’s /proc is enough, mounted read-only, in a pid namespace of one’s own', {
  skip,
}, async (t) => {
  const pod = await podOn(t)
  const folder = mkdtempSync(join(tmpdir(), 'host-proc-'))
  t.after(() => rmdirSync(folder))
  const mounts = `mount --bind /proc ${folder} && mount -o remount,ro,bind ${folder} && exec "$@"`
  const hostProc = ['unshare', '--mount', 'sh', '-c', mounts, 'sh']
  const under = [...hostProc, 'unshare', '--pid', '--fork', '--mount-proc', ...confined(chartCapabilities())]
  const { code, stdout, stderr } = await run(['pods', '-o', 'json', '--proc', folder], { under })
  assert.equal(code, 0, stderr)
  assert.ok((JSON.parse(stdout) as Found).pods.some(({ uid }) => uid === pod.uid))
})
