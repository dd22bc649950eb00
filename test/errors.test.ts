/** What a thrown error means to the user. */
import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { descriptorError, EXIT_RUNTIME, EXIT_USAGE, failureOf, usageError } from '../src/errors.ts'

const withCode = (code: string, message = code): Error => Object.assign(new Error(message), { code })
const installed = fileURLToPath(import.meta.resolve('pino'))

test('descriptor error: every form in which the limit shows becomes one message with a hint', () => {
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

test('descriptor error: descriptors that the system lacks are not this process’s limit', () => {
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
