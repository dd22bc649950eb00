import assert from 'node:assert/strict'
import { copyFileSync, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  ImageBuilder,
  type ImageConfig,
  type ImageContainer,
  type ImageRun,
  needsImageBuilder,
} from '../../rig/image-builder.ts'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { ROOT } from '../../rig/root.ts'
import { EXIT_PRIVILEGE } from '../../src/errors.ts'
import { run } from '../cli/support.ts'
import { addedCapabilities, droppedTo } from '../support/agent-container.ts'
import { agentPod, render, valueSet } from '../support/chart.ts'

const skip = needsImageBuilder()
const NAME = 'localhost/interceptor:test'
/** Libraries in addition to the C library. */
const SETPRIV = ['/usr/bin/setpriv', '/usr/lib/x86_64-linux-gnu/libcap-ng.so.0']
const MAX_MB = 160
const EXAMPLE = join(ROOT, 'examples', 'shop.pcap.gz')
let builder: ImageBuilder
let image: ImageConfig
let container: ImageContainer

before(() => {
  if (skip !== false) return
  builder = new ImageBuilder()
  builder.build('deploy/Dockerfile', NAME)
  image = builder.inspect(NAME)
  container = builder.container(NAME)
})

after(() => builder?.remove())

/** Runs the image's entry point with these arguments. */
const start = (args: string[], stdin: string | Uint8Array = ''): ReturnType<ImageContainer['run']> =>
  container.run([...(image.Entrypoint ?? []), ...args], { stdin })

test('image: the program runs as an unprivileged user', { skip }, () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  assert.equal(image.User, '65532:65532')
  assert.deepEqual(start(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
  assert.match(container.run(['node', '--version']).stdout, /^v24\./)
})

test('image: kubectl exec finds interceptor on PATH', { skip }, () => {
  assert.match(container.run(['interceptor', '--help']).stdout, /^Usage: interceptor/)
})

test('image: read emits the same pairs as outside of the image', { skip }, async () => {
  const capture = readFileSync(EXAMPLE)
  const inside = start(['read', '-o', 'ndjson', '-q', '-'], capture)
  assert.equal(inside.code, 0, inside.stderr)
  const outside = await run(['read', '-o', 'ndjson', '-q', '-'], { stdin: capture })
  const ids = (text: string): string[] => [...text.matchAll(/"id":"(\w+)"/g)].map(([, id]) => id)
  assert.ok(ids(inside.stdout).length > 10)
  assert.deepEqual(ids(inside.stdout), ids(outside.stdout))
})

test('image: with the chart’s capabilities and the host’s /proc the agent’s commands work', {
  skip: skip || needsKubeTools(),
}, () => {
  const added = addedCapabilities(agentPod(render(...valueSet('minimal'))).spec.containers[0])
  const options = [...added.flatMap((name) => ['--cap-add', `CAP_${name}`]), '--volume', '/proc:/host/proc:ro']
  // buildah drops capabilities after it adds them, so this machine's setpriv removes the rest.
  for (const path of SETPRIV) copyFileSync(path, join(container.files, path))
  const runWith = (capabilities: readonly string[], ...words: string[]): ImageRun =>
    container.run([...droppedTo(capabilities), 'interceptor', ...words], { user: '0', options })
  const doctor = runWith(added, 'doctor')
  assert.equal(doctor.code, 0, `${doctor.stdout}${doctor.stderr}`)
  const found = /✓ Node\.js: 24\..*✓ packet sockets: .*✓ namespaces of pods: .*✓ libpcap: /s
  assert.match(doctor.stdout, found)
  const pods = ['pods', '--proc', '/host/proc']
  const listed = runWith(added, ...pods)
  assert.equal(listed.code, 0, listed.stderr)
  assert.equal(runWith([], ...pods).code, EXIT_PRIVILEGE)
})

test('image: it contains no compiler, no package manager of Node.js and no build tools', { skip }, () => {
  for (const program of ['npm', 'npx', 'yarn', 'corepack', 'cc', 'gcc', 'c++', 'make', 'python3', 'tsc', 'git'])
    for (const folder of ['usr/local/bin', 'usr/bin', 'bin'])
      assert.ok(!existsSync(join(container.files, folder, program)), `${folder}/${program}`)
  const modules = readdirSync(join(container.files, 'app/node_modules'))
  assert.deepEqual(
    modules.filter((name) =>
      [
        'typescript',
        '@biomejs',
        '@kubernetes',
        'esbuild',
        'fast-check',
        'cap',
        'nan',
        'node-gyp',
        'kafkajs',
        'zod',
      ].includes(name),
    ),
    [],
  )
})

test('image: only root may write to the program', { skip }, () => {
  const app = join(container.files, 'app')
  const writable = readdirSync(app, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const { mode, uid } = lstatSync(join(app, path))
    return uid !== 0 || ((mode & 0o022) !== 0 && (mode & 0o170000) !== 0o120000)
  })
  assert.deepEqual(writable, [])
})

test('image: it has at most 160 MB', { skip }, () => {
  const sizes = readdirSync(container.files, { recursive: true, encoding: 'utf8' }).map(
    (path) => lstatSync(join(container.files, path)).size,
  )
  const mb = sizes.reduce((sum, size) => sum + size, 0) / 1e6
  assert.ok(mb <= MAX_MB, `${mb.toFixed(1)} MB`)
})

test('image: it contains no tests, documents or sources', { skip }, () => {
  assert.deepEqual(readdirSync(join(container.files, 'app')).sort(), [
    'LICENSE',
    'README.md',
    'dist',
    'node_modules',
    'package.json',
    'schema',
  ])
  assert.deepEqual(readdirSync(join(container.files, 'app/dist')), ['bundle'])
})

interface Lockfile {
  packages: Record<string, { cpu?: string[]; os?: string[]; libc?: string[] }>
}

test('image: every native dependency exists for arm64 too', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lockfile
  const native = Object.keys(packages).filter((name) => /linux-x64(-gnu)?$/.test(name) && !name.includes('biome'))
  const production = native.filter((name) => !/typescript|biome/.test(name))
  assert.ok(production.length >= 4, production.join())
  for (const name of production) {
    const sibling = packages[name.replace('x64', 'arm64')]
    assert.ok(sibling?.cpu?.includes('arm64'), `${name} has no sibling for arm64`)
  }
})
