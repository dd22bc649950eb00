import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../../../rig/needs.ts'
import { capFilter } from '../../../src/capture/cap/spec.ts'
import { compileExpression, DLT_EN10MB } from '../../../src/sys/pcap-compile.ts'
import { runBpf } from '../../support/bpf-machine.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'

const A = [10, 0, 0, 1]
const B = [10, 0, 0, 2]
const frame = (from: number, to: number, protocol = 6) =>
  ethernet({ payload: packet({ source: A, destination: B, protocol, payload: tcp(from, to) }) })

test('cap filter: libpcap keeps TCP, fragments of it and tagged frames', { skip: needs('libpcap') }, () => {
  const program = compileExpression(capFilter('', []), DLT_EN10MB, 65535)
  const keeps = (data: Uint8Array) => runBpf(program, { data }) > 0
  assert.equal(keeps(frame(1, 80)), true)
  assert.equal(keeps(frame(1, 80, 17)), false)
  assert.equal(keeps(ethernet({ ethertype: 0x0806, payload: new Uint8Array(28) })), false)
  const tagged = packet({ source: A, destination: B, protocol: 6, payload: tcp(1, 80) })
  assert.equal(keeps(ethernet({ tags: [0x88a8, 0x8100], payload: tagged })), true)
  const fragment = packet({ source: A, destination: B, protocol: 6, payload: tcp(1, 80), fragmentOffset: 10 })
  assert.equal(keeps(ethernet({ payload: fragment })), true)
})

test('cap filter: exclusions and the expression narrow it', { skip: needs('libpcap') }, () => {
  const exclude = [
    { address: '10.0.0.2', port: 9092 },
    { address: null, port: 15001 },
  ]
  const program = compileExpression(capFilter('port 9092 or port 80', exclude), DLT_EN10MB, 65535)
  const keeps = (data: Uint8Array) => runBpf(program, { data }) > 0
  assert.equal(keeps(frame(1, 9092)), false)
  assert.equal(keeps(frame(9092, 1)), true, 'the port at the other end')
  assert.equal(keeps(frame(80, 15001)), false)
  assert.equal(keeps(frame(1, 80)), true)
  assert.equal(keeps(frame(1, 81)), false, 'not in the expression')
})
