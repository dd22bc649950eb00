/**
 * The chart's capabilities are sufficient, and each is necessary: the program runs with exactly that bounding set, with
 * no_new_privs and on a read-only root file system, as in its container.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupMount } from '../../rig/cgroup-mount.ts'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { NodeRig, type RigPod } from '../../rig/node-rig.ts'
import { finish, run, start } from '../cli/support.ts'
import { addedCapabilities, confined } from '../support/agent-container.ts'
import { agentPod, render, valueSet } from '../support/chart.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'

const skip = needs('linux', 'root', 'setpriv', 'unshare', 'ip', 'cgroup') || needsKubeTools()
const PORT = 21410

/** The fields of `pods -o json` that the tests read. */
interface Found {
  pods: { uid: string }[]
  denied: number
}

/** The capabilities that the chart adds, as `[NET_RAW, …]`. */
const chartCapabilities = (): string[] => addedCapabilities(agentPod(render(...valueSet('minimal'))).spec.containers[0])

/** A node with one pod, whose process has all capabilities. */
async function podOn(t: TestContext): Promise<RigPod> {
  const rig = NodeRig.create(t, cgroupMount('v1') === null ? 'v2' : 'v1')
  const pod = rig.pod()
  await pod.run('shop')
  return pod
}

test('privileges: with the chart’s capabilities the same pods are found as with all capabilities', {
  skip,
}, async (t) => {
  const pod = await podOn(t)
  const found: Found[] = []
  for (const under of [[], confined(chartCapabilities())]) {
    const { code, stdout, stderr } = await run(['pods', '-o', 'json'], { under })
    assert.equal(code, 0, stderr)
    found.push(JSON.parse(stdout) as Found)
  }
  const [asRoot, confinedRun] = found
  assert.ok(confinedRun?.pods.some(({ uid }) => uid === pod.uid))
  // On some machines not even root can read the first process.
  assert.equal(confinedRun?.denied, asRoot?.denied)
})

test('privileges: with the chart’s capabilities doctor reports nothing missing', { skip }, async () => {
  const { code, stdout } = await run(['doctor'], { under: confined(chartCapabilities()) })
  assert.equal(code, 0, stdout)
  assert.match(stdout, /✓ packet sockets: CAP_NET_RAW.*✓ namespaces of pods: CAP_SYS_ADMIN/s)
})

/** By capability: the command that fails without it, and its message. */
const NEEDED: Record<string, [command: string, code: number, message: RegExp]> = {
  NET_RAW: ['doctor', 4, /✗ packet sockets: .*CAP_NET_RAW/],
  SYS_ADMIN: ['doctor', 0, /! namespaces of pods: not permitted .*SYS_ADMIN/],
  SYS_PTRACE: ['pods', 4, /cannot read the network namespace.*SYS_PTRACE/s],
}

for (const [missing, [command, expected, message]] of Object.entries(NEEDED)) {
  test(`privileges: without ${missing}, ${command} names it`, { skip }, async () => {
    const rest = chartCapabilities().filter((name) => name !== missing)
    const { code, stdout, stderr } = await run([command], { under: confined(rest) })
    assert.equal(code, expected, stderr)
    assert.match(stdout + stderr, message)
  })
}

test('privileges: the chart adds no unnecessary capability', { skip }, () => {
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

test('privileges: a read-only mount of the host’s /proc suffices in a PID namespace of its own', {
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
