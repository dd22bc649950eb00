/** The bundled program, which is what gets installed. Tests that start the program start the bundle (PROGRAM). */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { PROGRAM, ROOT } from '../../rig/root.ts'

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

const bundled = (...args: string[]): Run => run(PROGRAM, ...args)
const compiled = (...args: string[]): Run => run(join(ROOT, 'dist', 'src', 'main.js'), ...args)

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

test('bundle: the API server’s client is found', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-test-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'kubeconfig')
  const cluster = { name: 'a', cluster: { server: 'http://127.0.0.1:1' } }
  const user = { name: 'a', user: { token: 'x' } }
  const context = { name: 'a', context: { cluster: 'a', user: 'a' } }
  const kubeconfig = { 'current-context': 'a', clusters: [cluster], users: [user], contexts: [context] }
  writeFileSync(path, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...kubeconfig }))
  const { stderr } = bundled('pods', '--set', `kubernetes.kubeconfig=${path}`)
  assert.match(stderr, /API server: 127\.0\.0\.1:1 refuses connections/)
})

test('bundle: a configuration file needs no installed package', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-test-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(dirname(PROGRAM), join(folder, 'dist', 'bundle'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  const main = join(folder, 'dist', 'bundle', 'main.js')
  const config = join(folder, 'config.yaml')
  writeFileSync(config, 'kafka: { topic: pairs }')
  const printed = run(main, 'config', 'print', '--config', config)
  assert.match(printed.stdout, /topic: pairs/, printed.stderr)
})

/** The other files of the bundle that each of its files imports. */
function importsOf(folder: string): Map<string, string[]> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'))
  return new Map(
    names.map((name) => {
      const found = readFileSync(join(folder, name), 'utf8').matchAll(
        /^(?:import|\} from) "(\.[^"]+)"|\bimport\("(\.[^"]+\.js)"\)/gm,
      )
      return [name, [...found].map(([, first, onDemand]) => normalize(join(dirname(name), first ?? onDemand)))]
    }),
  )
}

test('bundle: its files import only files that exist', () => {
  const imports = importsOf(dirname(PROGRAM))
  const missing = [...imports.values()].flat().filter((name) => !imports.has(name))
  const [launch = ''] = imports.get('main.js') ?? []
  assert.match(launch, /^launch-/)
  assert.ok((imports.get(launch) ?? []).includes('start.js'))
  assert.deepEqual(missing, [])
})

test('bundle: has each program in WebAssembly with the code that V8 made of it', () => {
  const names = readdirSync(dirname(PROGRAM), { recursive: true, encoding: 'utf8' })
  const programs = names.filter((name) => name.endsWith('.wasm'))
  assert.ok(programs.length >= 2)
  for (const program of programs) {
    assert.ok(
      names.some((name) => name.startsWith(`${program}.v`) && name.endsWith('.code')),
      program,
    )
  }
})

test('bundle: contains the licenses of its parts', () => {
  const text = readFileSync(join(dirname(PROGRAM), 'licenses.txt'), 'utf8')
  for (const name of ['@kubernetes/client-node', 'commander', 'kafkajs', 'pino', 'yaml', 'zod'])
    assert.ok(text.includes(`${name} `), name)
})

test('bundle: npm installs it, without the packages that it contains', () => {
  const { bin, files, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    bin: Record<string, string>
    files: string[]
    dependencies: Record<string, string>
  }
  assert.equal(bin['interceptor'], 'dist/bundle/main.js')
  assert.ok(files.includes('dist/bundle'))
  for (const name of ['@kubernetes/client-node', 'kafkajs', 'pino', 'yaml', 'zod'])
    assert.ok(!(name in dependencies), name)
})
