/** Interfaces that disappear and return while they are captured, and captures that cannot start. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { SocketOpener, type SocketOptions } from '../../src/capture/af-packet/socket-opener.ts'
import { EXIT_RUNTIME, EXIT_USAGE, InterceptorError } from '../../src/errors.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'
import { LiveCapture, liveInterface } from '../support/live-capture.ts'
import { segmentOf } from '../support/segments.ts'

const PORT = 21120
const skip = needs('root', 'ip')
const OPTIONS: SocketOptions = {
  filter: '',
  exclude: [],
  snapLength: 262144,
  ringBytes: 8 * 1024 * 1024,
  initialRingBytes: 8 * 1024 * 1024,
  promiscuous: false,
  tunnels: [],
}
const ALL = { excludePorts: [], onlyAddresses: null, onlyPorts: null, tunnels: true }

const open = (device: string, options: Partial<SocketOptions> = {}) =>
  new SocketOpener({ ...OPTIONS, ...options }).open({ device, netns: null, ...ALL })

const pair = (t: TestContext): [Namespace, Namespace] => {
  const [left, right] = Namespace.pair()
  t.after(() => {
    left.delete()
    right.delete()
  })
  return [left, right]
}

const connections = (capture: LiveCapture): number =>
  capture.packets.map(({ packet }) => segmentOf(packet)).filter(({ syn, sourcePort }) => syn && sourcePort !== PORT)
    .length

test('interfaces: reports and counts an interface that goes down and up again; its flows continue', {
  skip,
}, async (t) => {
  const [left, right] = pair(t)
  const server = await serveHttp(right, PORT, 1000)
  t.after(() => endServer(server))
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)])
  capture.start()
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  left.ip('link', 'set', 'eth0', 'down')
  assert.deepEqual(await capture.message('interfaceLost'), {
    t: 'interfaceLost',
    interfaceId: 1,
    name: 'eth0',
    reason: 'down',
  })
  left.ip('link', 'set', 'eth0', 'up')
  assert.deepEqual(await capture.message('interfaceBack'), { t: 'interfaceBack', interfaceId: 1, name: 'eth0' })
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  const counters = await capture.stop()
  assert.equal(connections(capture), 2)
  assert.deepEqual(capture.gone, [])
  assert.deepEqual([counters['interfaces.lost'], counters['interfaces.back']], [1, 1])
})

test('interfaces: continues to capture an interface that is renamed', { skip }, async (t) => {
  const [left, right] = pair(t)
  const server = await serveHttp(right, PORT, 1000)
  t.after(() => endServer(server))
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)])
  capture.start()
  left.ip('link', 'set', 'eth0', 'down')
  await capture.message('interfaceLost')
  left.ip('link', 'set', 'eth0', 'name', 'net0')
  left.ip('link', 'set', 'net0', 'up')
  await capture.message('interfaceBack')
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  const counters = await capture.stop()
  assert.equal(connections(capture), 1)
  assert.deepEqual([counters['interfaces.lost'], counters['interfaces.back']], [1, 1])
})

test('interfaces: captures an interface again that is deleted and created under the same name', { skip }, async (t) => {
  const [left, right] = pair(t)
  const server = await serveHttp(right, PORT, 1000)
  t.after(() => endServer(server))
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { promiscuous: true })
  capture.start()
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  left.ip('link', 'delete', 'eth0')
  assert.deepEqual(await capture.message('interfaceLost'), {
    t: 'interfaceLost',
    interfaceId: 1,
    name: 'eth0',
    reason: 'deleted',
  })
  // Occupies the old index, so that the new interface has another one.
  left.ip('link', 'add', 'other0', 'type', 'veth', 'peer', 'name', 'other1')
  Namespace.join(left, right)
  await capture.message('interfaceBack')
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  const counters = await capture.stop()
  assert.equal(connections(capture), 2)
  assert.deepEqual(capture.gone, [1], 'the flows of the deleted one have ended')
  assert.deepEqual([counters['interfaces.lost'], counters['interfaces.back']], [1, 1])
})

test('interfaces: captures an interface again that is moved to another namespace and back', { skip }, async (t) => {
  const [left, right] = pair(t)
  const elsewhere = Namespace.create()
  t.after(() => elsewhere.delete())
  const server = await serveHttp(right, PORT, 1000)
  t.after(() => endServer(server))
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)])
  capture.start()
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  left.ip('link', 'set', 'eth0', 'netns', elsewhere.name)
  await capture.message('interfaceLost')
  elsewhere.ip('link', 'set', 'eth0', 'netns', left.name)
  left.configure('eth0', 1)
  await capture.message('interfaceBack')
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  const counters = await capture.stop()
  assert.equal(connections(capture), 2)
  assert.deepEqual([counters['interfaces.lost'], counters['interfaces.back']], [1, 1])
})

test('interfaces: a changed MTU neither interrupts a capture nor cuts a frame', { skip }, async (t) => {
  const [left, right] = pair(t)
  const server = await serveHttp(right, PORT, 8000)
  t.after(() => endServer(server))
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)])
  capture.start()
  for (const mtu of ['9000', '600']) {
    for (const end of [left, right]) end.ip('link', 'set', 'eth0', 'mtu', mtu)
    requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  }
  const counters = await capture.stop()
  assert.equal(connections(capture), 2)
  assert.deepEqual([counters['interfaces.lost'], counters['frames.truncated']], [0, 0])
})

test('interfaces: captures an interface again that is created with the same index before the next check', {
  skip,
}, async (t) => {
  const [left, right] = pair(t)
  const server = await serveHttp(right, PORT, 1000)
  t.after(() => endServer(server))
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)])
  const index = JSON.parse(left.ip('-j', 'link', 'show', 'eth0'))[0].ifindex
  left.ip('link', 'delete', 'eth0')
  Namespace.join(left, right, index)
  capture.start()
  await capture.message('interfaceBack')
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  await capture.stop()
  assert.equal(connections(capture), 1)
})

test('interfaces: captures an interface that is down as soon as it is up', { skip }, async (t) => {
  const [left, right] = pair(t)
  const server = await serveHttp(right, PORT, 1000)
  t.after(() => endServer(server))
  left.ip('link', 'set', 'eth0', 'down')
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)])
  capture.start()
  await capture.message('interfaceLost')
  left.ip('link', 'set', 'eth0', 'up')
  await capture.message('interfaceBack')
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 2)
  await capture.stop()
  assert.equal(connections(capture), 1)
})

test('interfaces: captures the others while one is deleted', { skip }, async (t) => {
  const [left, right] = pair(t)
  const server = await serveHttp(left, PORT, 1000)
  t.after(() => endServer(server))
  const capture = new LiveCapture([liveInterface(1, 'eth0', right.path), liveInterface(2, 'lo', left.path)])
  capture.start()
  right.ip('link', 'delete', 'eth0')
  await capture.message('interfaceLost')
  requestHttp(left, `http://127.0.0.1:${PORT}/`, 2)
  await capture.stop()
  assert.deepEqual([...new Set(capture.packets.map(({ interfaceId }) => interfaceId))], [2])
})

test('interfaces: enables promiscuous mode only if configured', { skip }, async (t) => {
  const [left] = pair(t)
  const promiscuity = () => JSON.parse(left.ip('-d', '-j', 'link', 'show', 'eth0'))[0].promiscuity
  for (const promiscuous of [false, true]) {
    const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { promiscuous })
    assert.equal(promiscuity(), promiscuous ? 1 : 0)
    await capture.close()
    assert.equal(promiscuity(), 0)
  }
})

test('interfaces: a missing interface is a usage error that names the existing ones', { skip }, () => {
  assert.throws(
    () => open('none0'),
    (error) =>
      error instanceof InterceptorError &&
      error.exitCode === EXIT_USAGE &&
      error.message === 'there is no network interface none0' &&
      /lo.*any/.test(error.hint ?? ''),
  )
})

test('interfaces: an invalid expression is a usage error with libpcap’s message', {
  skip: needs('root', 'libpcap'),
}, () => {
  assert.throws(
    () => open('lo', { filter: 'tcp prt 80' }),
    (error) =>
      error instanceof InterceptorError &&
      error.exitCode === EXIT_USAGE &&
      /"tcp prt 80": .*syntax error/.test(error.message),
  )
})

test('interfaces: a ring that the kernel cannot allocate is reported with its configuration key', { skip }, () => {
  assert.throws(
    () => open('lo', { ringBytes: 2 ** 40 }),
    (error) =>
      error instanceof InterceptorError &&
      error.exitCode === EXIT_RUNTIME &&
      /capture\.ringBytes/.test(error.hint ?? ''),
  )
})

test('interfaces: a missing CAP_NET_RAW is a privilege error with a hint', {
  skip: needs('root', 'setpriv'),
}, () => {
  const { stdout } = withoutCapability('net_raw', null)
  assert.match(stdout, /^4 capturing needs the capability CAP_NET_RAW/)
  assert.match(stdout, /setcap cap_net_raw\+ep/)
})

test('interfaces: another namespace without CAP_SYS_ADMIN is a privilege error', {
  skip: needs('root', 'ip', 'setpriv'),
}, (t) => {
  const [left] = pair(t)
  assert.match(withoutCapability('sys_admin', left.path).stdout, /^4 entering the network namespace .* CAP_SYS_ADMIN/)
})

test('interfaces: capturing needs only CAP_NET_RAW', { skip: needs('root', 'setpriv') }, () => {
  const script = openingScript(null)
  const only = [
    '--bounding-set',
    '-all,+net_raw',
    '--no-new-privs',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ]
  assert.match(spawnSync('setpriv', only, { encoding: 'utf8' }).stdout, /^opened/)
})

const withoutCapability = (capability: string, netns: string | null) => {
  const args = ['--bounding-set', `-${capability}`, process.execPath, '--input-type=module', '-e', openingScript(netns)]
  return spawnSync('setpriv', args, { encoding: 'utf8' })
}

function openingScript(netns: string | null): string {
  const module = JSON.stringify(new URL('../../src/capture/af-packet/socket-opener.js', import.meta.url).href)
  const wanted = { device: 'lo', netns: netns === null ? null : { path: netns, inode: null }, ...ALL }
  return `import { SocketOpener } from ${module}
    try {
      new SocketOpener(${JSON.stringify(OPTIONS)}).open(${JSON.stringify(wanted)})
      console.log('opened')
    } catch (error) { console.log(error.exitCode, error.message, error.hint) }`
}
