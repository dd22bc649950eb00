/** The bundled program, which is what is installed; the other tests run the compiled sources. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { killAtExit } from '../../rig/process-tree.ts'
import { ROOT } from '../../rig/root.ts'
import { EXIT_RUNTIME } from '../../src/errors.ts'
import { finish } from '../cli/support.ts'
import { ensurePage } from '../ui/support.ts'

/** In the checkout, where packages that are not bundled are found. */
const FOLDER = join(ROOT, 'dist', `bundle-test-${process.pid}`)
const EXAMPLE = join(ROOT, 'examples', 'shop.pcap.gz')

interface Run {
  status: number | null
  stdout: string
  stderr: string
}

const run = (main: string, ...args: string[]): Run => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 })
  return { status, stdout, stderr }
}

const bundled = (...args: string[]): Run => run(join(FOLDER, 'main.js'), ...args)
const compiled = (...args: string[]): Run => run(join(ROOT, 'dist', 'src', 'main.js'), ...args)

before(() => {
  ensurePage()
  const { status, stderr } = run(join(ROOT, 'dist', 'scripts', 'bundle.js'), FOLDER)
  assert.equal(status, 0, stderr)
})

after(() => rmSync(FOLDER, { recursive: true, force: true }))

for (const args of [
  ['read', '--all', '-o', 'ndjson', '-q', EXAMPLE],
  ['read', '-v', '--where', 'response.status == 201 && request.json.items.exists(item, item.count > 1)', EXAMPLE],
  ['top', EXAMPLE],
  ['config', 'print', '--set', 'filter.paths=/x'],
]) {
  test(`bundle: interceptor ${args.slice(0, 3).join(' ')} prints what the compiled sources print`, () => {
    const [first, second] = [bundled(...args), compiled(...args)]
    assert.equal(first.status, 0, first.stderr)
    assert.ok(first.stdout.length > 100)
    assert.deepEqual(first, second)
  })
}

test('bundle: Kafka’s client is found', () => {
  const within = ['--set', 'shutdown.timeout=1s', '--set', 'ship.maxAge=1s', '--set', 'kafka.compression=lz4']
  const { status, stderr } = bundled('read', '--brokers', '127.0.0.1:1', ...within, EXAMPLE)
  assert.match(stderr, /Kafka is unreachable: connect ECONNREFUSED 127\.0\.0\.1:1/)
  assert.equal(status, EXIT_RUNTIME, stderr)
})

test('bundle: the API server’s client is found', () => {
  const path = join(FOLDER, 'kubeconfig')
  const cluster = { name: 'a', cluster: { server: 'http://127.0.0.1:1' } }
  const user = { name: 'a', user: { token: 'x' } }
  const context = { name: 'a', context: { cluster: 'a', user: 'a' } }
  const kubeconfig = { 'current-context': 'a', clusters: [cluster], users: [user], contexts: [context] }
  writeFileSync(path, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...kubeconfig }))
  const { stderr } = bundled('pods', '--set', `kubernetes.kubeconfig=${path}`)
  assert.match(stderr, /API server: connect ECONNREFUSED 127\.0\.0\.1:1/)
})

test('bundle: capture, with foreign functions, libpcap and every thread', {
  skip: needs('root', 'libpcap'),
}, async (t) => {
  const server = createServer((_request, response) => response.end('{}'))
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const args = ['capture', '-i', 'lo', '--all', '-o', 'ndjson', '-c', '1', `tcp port ${port}`]
  const child = killAtExit(spawn(process.execPath, [join(FOLDER, 'main.js'), ...args], { stdio: 'pipe' }))
  const ended = finish(child)
  await once(child.stderr, 'data')
  await fetch(`http://127.0.0.1:${port}/bundled`)
  const { code, stdout, stderr } = await ended
  assert.equal(code, 0, stderr)
  assert.match(stdout, /"target":"\/bundled"/)
})

test('bundle: the page of ui is found', async (t) => {
  const args = [join(FOLDER, 'main.js'), 'ui', '--listen', '127.0.0.1:0', EXAMPLE]
  const child = killAtExit(spawn(process.execPath, args, { stdio: 'pipe' }))
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const [base = ''] = line.toString().split('/#')
  for (const path of ['/', '/page.js', '/page.css', '/licenses.txt']) {
    assert.equal((await fetch(base + path)).status, 200, path)
  }
})

test('bundle: ui serves the files of its page', async () => {
  const args = [join(FOLDER, 'main.js'), 'ui', '--listen', '127.0.0.1:0', EXAMPLE]
  const child = killAtExit(spawn(process.execPath, args, { stdio: 'pipe' }))
  const ended = finish(child)
  const [address] = /http:[^#]+/.exec(String(await once(child.stdout, 'data'))) ?? ['']
  const page = await fetch(`${address}page.js`)
  assert.equal(page.status, 200)
  await page.arrayBuffer()
  child.kill('SIGINT')
  await ended
})

test('bundle: it has the licenses of what it contains', () => {
  const text = readFileSync(join(FOLDER, 'licenses.txt'), 'utf8')
  for (const name of ['@kubernetes/client-node', 'commander', 'zod']) assert.ok(text.includes(`${name} `), name)
})

test('bundle: it is what npm installs, without the packages that it contains', () => {
  const { bin, files, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    bin: Record<string, string>
    files: string[]
    dependencies: Record<string, string>
  }
  assert.equal(bin['interceptor'], 'dist/bundle/main.js')
  assert.ok(files.includes('dist/bundle'))
  for (const name of ['@kubernetes/client-node', 'zod']) assert.ok(!(name in dependencies), name)
})
