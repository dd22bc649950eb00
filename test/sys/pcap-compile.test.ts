import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { compileExpression, DLT_EN10MB, DLT_RAW, ExpressionError, libpcapVersion } from '../../src/sys/pcap-compile.ts'
import { runBpf } from '../support/bpf-machine.ts'
import { ethernet, packet, tcp } from '../support/frames.ts'

const IP = packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(1234, 80) })

test('pcap compile: a program returns the snap length for accepted packets and 0 for others', {
  skip: needs('libpcap'),
}, () => {
  const data = ethernet({ payload: IP })
  assert.equal(runBpf(compileExpression('tcp dst port 80', DLT_EN10MB, 1000), { data }), 1000)
  assert.equal(runBpf(compileExpression('tcp dst port 81', DLT_EN10MB, 1000), { data }), 0)
})

test('pcap compile: compiles for bare packets too', { skip: needs('libpcap') }, () => {
  assert.equal(runBpf(compileExpression('dst host 10.0.0.2', DLT_RAW, 1000), { data: IP }), 1000)
})

test('pcap compile: an invalid expression is an error with libpcap’s message', { skip: needs('libpcap') }, () => {
  assert.throws(() => compileExpression('tcp prt 80', DLT_EN10MB, 1000), ExpressionError)
  assert.throws(() => compileExpression('ether host 2:0:0:0:0:1', DLT_RAW, 1000), ExpressionError)
  assert.throws(() => compileExpression('host no.such.host.invalid', DLT_EN10MB, 1000), /no\.such\.host\.invalid/)
})

test('pcap compile: returns the version of the library', { skip: needs('libpcap') }, () => {
  assert.match(libpcapVersion(), /libpcap version \d/)
})
