import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { PROGRAM } from '../../rig/root.ts'
import { EXIT_PRIVILEGE, EXIT_RUNTIME } from '../../src/errors.ts'

/** Runs the doctor under a command. @returns its lines by the name of the check, and its exit code */
function doctor(wrapper: string[], env: Record<string, string> = {}) {
  const [program, ...args] = [...wrapper, process.execPath, PROGRAM, 'doctor']
  const { stdout, status } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, ...env } })
  const lines = stdout.trim().split('\n')
  return { status, line: (about: string) => lines.find((text) => text.slice(2).startsWith(`${about}:`)) ?? '' }
}

test('capture checks: open a ring and find all parts with every privilege', {
  skip: needs('root', 'libpcap', 'cap'),
}, () => {
  const { status, line } = doctor([])
  assert.match(line('foreign functions'), /^✓ .* koffi \d/)
  assert.match(line('packet sockets'), /^✓ .*CAP_NET_RAW; TPACKET_V3 ring of 8 MiB$/)
  assert.match(line('interfaces'), /^✓ .*\blo\b/)
  assert.match(line('namespaces of pods'), /^✓ /)
  assert.match(line('package cap'), /^✓ /)
  assert.match(line('libpcap'), /^✓ libpcap: \d/)
  assert.equal(status, 0)
})

test('capture checks: exit with 4 and a hint without a capability', { skip: needs('root', 'setpriv') }, () => {
  const { status, line } = doctor(['setpriv', '--bounding-set', '-net_raw,-sys_admin'])
  assert.match(line('packet sockets'), /^✗ .*CAP_NET_RAW → .*setcap cap_net_raw\+ep/)
  assert.match(line('namespaces of pods'), /^! .*EPERM.* → .*SYS_ADMIN/)
  assert.equal(status, EXIT_PRIVILEGE)
})

test('capture checks: pass with CAP_NET_RAW alone', { skip: needs('root', 'setpriv') }, () => {
  const { status, line } = doctor(['setpriv', '--bounding-set', '-all,+net_raw', '--no-new-privs'])
  assert.match(line('packet sockets'), /^✓ /)
  assert.match(line('namespaces of pods'), /^! /)
  assert.equal(status, 0)
})

test('capture checks: try configured interfaces and expressions', { skip: needs('root', 'libpcap') }, () => {
  const wrong = doctor([], { INTERCEPTOR_CAPTURE_INTERFACES: 'lo,none0', INTERCEPTOR_CAPTURE_FILTER: 'tcp prt 80' })
  assert.match(wrong.line('interfaces'), /^✗ interfaces: not found: none0; this host has .*lo/)
  assert.match(wrong.line('capture.filter'), /^✗ .*"tcp prt 80".*syntax error/)
  assert.equal(wrong.status, EXIT_RUNTIME)
  const right = doctor([], { INTERCEPTOR_CAPTURE_INTERFACES: 'lo', INTERCEPTOR_CAPTURE_FILTER: 'tcp port 80' })
  assert.match(right.line('capture.filter'), /^✓ /)
  assert.equal(right.status, 0)
})
