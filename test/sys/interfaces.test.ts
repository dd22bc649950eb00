import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { findInterface, interfaceNames, listInterfaces } from '../../src/sys/interfaces.ts'
import { close, socket } from '../../src/sys/libc.ts'
import { withNetns } from '../../src/sys/netns.ts'
import { AF_INET, ARPHRD_ETHER, ARPHRD_LOOPBACK, SOCK_DGRAM } from '../../src/sys/packet.ts'

test('interfaces: finds loopback and marks it as such', { skip: needs('linux') }, () => {
  const lo = listInterfaces().find(({ name }) => name === 'lo')
  assert.equal(lo?.hardwareType, ARPHRD_LOOPBACK)
  assert.equal(lo?.loopback, true)
  assert.ok(lo.index > 0)
})

test('interfaces: finds those of another namespace, through the thread or a socket', {
  skip: needs('root', 'ip'),
}, (t) => {
  const [left, right] = Namespace.pair()
  t.after(() => {
    left.delete()
    right.delete()
  })
  left.ip('link', 'add', 'down0', 'type', 'veth', 'peer', 'name', 'down1')
  assert.deepEqual(withNetns(left.path, interfaceNames).sort(), ['down0', 'down1', 'eth0', 'lo'])
  const inside = withNetns(left.path, () => socket(AF_INET, SOCK_DGRAM, 0))
  t.after(() => close(inside))
  const eth0 = findInterface(inside, 'eth0')
  assert.deepEqual([eth0?.hardwareType, eth0?.up, eth0?.loopback], [ARPHRD_ETHER, true, false])
  assert.equal(findInterface(inside, 'down0')?.up, false)
})

test('interfaces: returns null for an unknown name, also for one that is too long', { skip: needs('linux') }, (t) => {
  const fd = socket(AF_INET, SOCK_DGRAM, 0)
  t.after(() => close(fd))
  assert.equal(findInterface(fd, 'none0'), null)
  assert.equal(findInterface(fd, 'a-name-longer-than-fifteen'), null)
  assert.equal(findInterface(fd, ''), null)
})
