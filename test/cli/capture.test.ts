import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { EXIT_PRIVILEGE, EXIT_USAGE } from '../../src/errors.ts'
import { count, type Ledger } from '../../src/ledger/ledger.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'
import { assertLaws } from '../support/ledger.ts'
import { type Finished, finish, run, start } from './support.ts'

const PORT = 21900
const URL_OF_SERVER = `http://127.0.0.1:${PORT}/orders`
const skip = needs('root', 'linux', 'ip')

const folder = mkdtempSync(join(tmpdir(), 'interceptor-capture-'))
after(() => rmSync(folder, { recursive: true }))

interface Place {
  namespace: Namespace
  under: string[]
}

/** Creates a network namespace with an HTTP server on its loopback. */
async function place(t: TestContext): Promise<Place> {
  const namespace = Namespace.create()
  const server = await serveHttp(namespace, PORT, 100)
  t.after(async () => {
    await endServer(server)
    namespace.delete()
  })
  return { namespace, under: ['ip', 'netns', 'exec', namespace.name] }
}

/** Waits for the announcement that capture has started. */
function announced(child: ChildProcess): Promise<void> {
  let text = ''
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (/^capturing on .*; press Ctrl-C to stop\n/m.test(text)) resolve()
    })
    child.on('close', () => reject(new Error(`ended before it captured: ${text}`)))
  })
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')

test('capture: prints each pair on lo once, until SIGINT', { skip }, async (t) => {
  const { namespace, under } = await place(t)
  const summary = join(folder, 'lo.json')
  const child = start(['capture', '-i', 'lo', '--all', '-o', 'ndjson', '--summary', summary], { under })
  const ended = finish(child)
  await announced(child)
  requestHttp(namespace, URL_OF_SERVER, 20, 10)
  await arrived(child, ended, 20)
  child.kill('SIGINT')
  const { code, stdout } = await ended
  const ledger = JSON.parse(readFileSync(summary, 'utf8')) as Ledger
  assert.deepEqual([code, lines(stdout).length], [0, 20])
  assertLaws(ledger)
  assert.equal(count(ledger, 'pairs.shipped'), 20)
  assert.equal(JSON.parse(lines(stdout)[0]).capture.interface, 'lo')
})

test('capture: drains on SIGHUP: completes the JSON and prints the summary', { skip }, async (t) => {
  const { namespace, under } = await place(t)
  const file = join(folder, 'hangup.json')
  const child = start(['capture', '-i', 'lo', '--all', '-o', 'json', '-w', file], { under })
  const ended = finish(child)
  await announced(child)
  requestHttp(namespace, URL_OF_SERVER, 3)
  child.kill('SIGHUP')
  const { code, signal, stderr } = await ended
  assert.deepEqual([code, signal], [0, null])
  assert.equal(JSON.parse(readFileSync(file, 'utf8')).length, 3)
  assert.match(stderr, /\n3 pairs written\n$/)
})

/** Waits until the program has printed a number of lines or ended. */
async function arrived(child: ChildProcess, ended: Promise<Finished>, wanted: number): Promise<void> {
  let seen = 0
  const enough = new Promise<void>((resolve) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      seen += chunk.toString().split('\n').length - 1
      if (seen >= wanted) resolve()
    })
  })
  await Promise.race([enough, ended])
}

test('capture: captures what an expression matches, and stops at -c', { skip: skip || needs('libpcap') }, async (t) => {
  const { namespace, under } = await place(t)
  const child = start(['capture', '-i', 'any', '--all', '-c', '3', 'tcp', 'port', String(PORT)], { under })
  const ended = finish(child)
  await announced(child)
  requestHttp(namespace, URL_OF_SERVER, 5)
  const { code, stdout, stderr } = await ended
  assert.deepEqual([code, lines(stdout).length], [0, 3])
  assert.match(
    stderr,
    /^capturing on any with the filter "tcp port 21900"; press Ctrl-C to stop\n3 pairs shown; stopped by -c 3\n$/,
  )
})

test('capture: reports its counts while it has no pair to show', { skip }, async (t) => {
  const { namespace, under } = await place(t)
  const child = start(['capture', '-i', 'lo', '--set', 'filter.contentTypes=text/none'], { under })
  const ended = finish(child)
  await announced(child)
  requestHttp(namespace, URL_OF_SERVER, 4)
  await new Promise<void>((resolve) => {
    child.stderr!.on('data', (chunk: Buffer) => {
      if (chunk.includes('no pairs yet')) resolve()
    })
  })
  child.kill('SIGINT')
  const { code, stdout, stderr } = await ended
  assert.deepEqual([code, stdout], [0, ''])
  assert.match(stderr, /\nno pairs yet; 4 pairs filtered \(contentType 4\); \d+ connections? seen\n/)
})

test('capture: prints no announcement with -q', { skip }, async (t) => {
  const { namespace, under } = await place(t)
  const child = start(['capture', '-q', '-i', 'lo', '--all', '-c', '1'], { under })
  const ended = finish(child)
  const traffic = setInterval(() => requestHttp(namespace, URL_OF_SERVER, 1), 300)
  const { code, stderr } = await ended.finally(() => clearInterval(traffic))
  assert.deepEqual([code, stderr], [0, ''])
})

test('capture: exits with 2 for an unknown interface and names the known ones', { skip }, async () => {
  const { code, stdout, stderr } = await run(['capture', '-i', 'nope0'])
  assert.deepEqual([code, stdout], [EXIT_USAGE, ''])
  assert.match(stderr, /^interceptor: there is no network interface nope0\nInterfaces of this host: .*\blo\b.*any/)
  const mistyped = await run(['capture', '-i', 'lo0'])
  assert.match(mistyped.stderr, /^interceptor: there is no network interface lo0: did you mean lo\?\nInterfaces /)
})

test('capture: exits with 2 for an expression that libpcap rejects', { skip: skip || needs('libpcap') }, async () => {
  const { code, stderr } = await run(['capture', '-i', 'lo', 'tcp', 'prt', '80'])
  assert.equal(code, EXIT_USAGE)
  assert.match(stderr, /^interceptor: bad filter expression "tcp prt 80"/)
})

const WITHOUT_CAPABILITY = ['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw']

test('capture: exits with 4 without CAP_NET_RAW and names the fix', {
  skip: skip || needs('setpriv'),
}, async () => {
  const { code, stderr } = await run(['capture', '-i', 'lo'], { under: WITHOUT_CAPABILITY })
  assert.equal(code, EXIT_PRIVILEGE)
  assert.match(stderr, /^interceptor: .*CAP_NET_RAW.*\n.*setcap/)
})

test('doctor: exits with 4 without CAP_NET_RAW', {
  skip: skip || needs('setpriv'),
}, async () => {
  const { code, stdout } = await run(['doctor'], { under: WITHOUT_CAPABILITY })
  assert.equal(code, EXIT_PRIVILEGE)
  assert.match(stdout, /✗ packet sockets: .*CAP_NET_RAW/)
})
