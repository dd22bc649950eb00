/** Messages and exit codes of thrown errors. */
import assert from 'node:assert/strict'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  descriptorError,
  EXIT_RUNTIME,
  EXIT_USAGE,
  errorText,
  failureOf,
  fileErrorText,
  plainText,
  usageError,
} from '../src/errors.ts'

const withCode = (code: string, message = code): Error => Object.assign(new Error(message), { code })
const installed = fileURLToPath(import.meta.resolve('pino'))

test('descriptor error: every error caused by the limit becomes one message with a hint', () => {
  const limited = [
    withCode('EMFILE'),
    withCode('ERR_WORKER_INIT_FAILED', 'Worker initialization failure: EMFILE'),
    new Error('Cannot read package config /package.json: too many open files.'),
    new Error('libpcap.so: cannot open shared object file: Too many open files'),
    usageError('admin.address: cannot listen', { cause: withCode('EMFILE', 'listen EMFILE: too many open files') }),
    new Error('fetch failed', { cause: new AggregateError([new Error('refused'), withCode('EMFILE')]) }),
    withCode('MODULE_NOT_FOUND', "Cannot find module 'pino'\nRequire stack:\n- /x.js"),
    withCode('ERR_MODULE_NOT_FOUND', `Cannot find package '${dirname(installed)}/index.js' imported from /x.js`),
  ]
  for (const error of limited) {
    const { message, exitCode, hint } = failureOf(error)
    assert.equal(message, 'this process may not open more files (EMFILE)', error.message)
    assert.match(hint ?? '', /^Raise its limit/)
    assert.equal(exitCode, EXIT_RUNTIME)
  }
})

test('descriptor error: the system’s limit is not reported as this process’s limit', () => {
  const texts = ['ENFILE', 'open: file table overflow', 'socket: Too many open files in system']
  for (const error of [withCode('ENFILE'), ...texts.map((text) => new Error(text))]) {
    assert.equal(failureOf(error).message, 'this system has no file descriptors left (ENFILE)')
  }
})

test('descriptor error: other errors keep their message and exit code', () => {
  const others = [
    withCode('ENOENT'),
    withCode('ERR_MODULE_NOT_FOUND', "Cannot find package 'no-such-package' imported from /x.js"),
    withCode('MODULE_NOT_FOUND', "Cannot find module '/no/such/module.js'"),
    usageError('the API server rejects it: too many open files'),
    'EMFILE',
  ]
  for (const error of others) assert.equal(descriptorError(error), null)
  assert.deepEqual(failureOf(usageError('wrong', { hint: 'Correct it.' })), {
    message: 'wrong',
    exitCode: EXIT_USAGE,
    hint: 'Correct it.',
  })
})

const thrownBy = async (work: () => unknown): Promise<unknown> => {
  try {
    await work()
  } catch (error) {
    return error
  }
  return assert.fail('nothing was thrown')
}

test('error text: failed system calls are described in words, with the address, name or file', async () => {
  const used = createServer().listen(0, '127.0.0.1')
  await once(used, 'listening')
  const address = `127.0.0.1:${(used.address() as { port: number }).port}`
  const [error] = await once(createServer().listen(Number(address.split(':')[1]), '127.0.0.1'), 'error')
  assert.equal(errorText(error), `${address}: address already in use (EADDRINUSE)`)
  used.close()
  await once(used, 'close')
  const refused = await thrownBy(() => once(connect(Number(address.split(':')[1]), '127.0.0.1'), 'connect'))
  assert.equal(errorText(refused), `${address} refuses connections (ECONNREFUSED)`)
  const unknown = await thrownBy(() => lookup('no-such-host.invalid'))
  assert.match(
    errorText(unknown),
    /^the host name no-such-host\.invalid (is unknown|cannot be resolved).* \(E[A-Z_]+\)$/,
  )
  const missing = await thrownBy(() => readFileSync('/no/such file'))
  assert.equal(errorText(missing), '/no/such file: no such file or directory (ENOENT)')
  assert.equal(fileErrorText(missing), 'no such file or directory')
})

test('error text: describes other forms of failed system calls', () => {
  const texts = [
    ['read ECONNRESET', 'connection reset by peer (ECONNRESET)'],
    ['write EPIPE', 'broken pipe (EPIPE)'],
    [
      'connect EHOSTUNREACH 10.0.0.1:9092 - Local (10.0.0.2:40000)',
      'there is no route to 10.0.0.1:9092 (EHOSTUNREACH)',
    ],
    ['connect ETIMEDOUT 10.0.0.1:9092', '10.0.0.1:9092 does not respond (ETIMEDOUT)'],
    [
      'getaddrinfo EAI_AGAIN kafka',
      'the host name kafka cannot be resolved, because no name server replies (EAI_AGAIN)',
    ],
    ['listen EADDRNOTAVAIL: address not available 10.9.9.9:1', '10.9.9.9:1: address not available (EADDRNOTAVAIL)'],
    ['spawn get-token ENOENT', 'get-token: no such file or directory (ENOENT)'],
    ['ENOSPC: no space left on device, write', 'no space left on device (ENOSPC)'],
  ] as const
  for (const [text, words] of texts) assert.equal(plainText(text), words)
  for (const text of ['it is closed', 'the ECONNRESET of a peer', 'read ESOMETHING', ''])
    assert.equal(plainText(text), text)
})
