/**
 * The real kube-apiserver for tests, built from source with Go, once, into `.cache/kube-apiserver`. go.mod and go.sum
 * beside this say of what: k8s.io/kubernetes cannot be installed by its name, because its go.mod points at folders of
 * its own repository. It takes some minutes, so CI runs this file before the tests:
 *
 *     node dist/test/support/kube-apiserver-build.js
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const VERSION = '1.35.0'
/** The checkout's root, from dist/test/support. */
const ROOT = join(import.meta.dirname, '..', '..', '..')
const MODULE = join(ROOT, 'test', 'support', 'kube-apiserver')
const FOLDER = join(ROOT, '.cache', 'kube-apiserver')
/** Holds the id of the process that builds; others wait for it. */
const LOCK = join(FOLDER, 'building')
const LOOK_MS = 500

/** The binary, once it is built. */
export const KUBE_APISERVER = join(FOLDER, `kube-apiserver-${VERSION}`)

/** Builds the binary where it is missing. @returns null, or why it cannot be had */
export function buildKubeApiserver(): string | null {
  if (existsSync(KUBE_APISERVER)) return null
  mkdirSync(FOLDER, { recursive: true })
  takeLock()
  try {
    return existsSync(KUBE_APISERVER) ? null : compile()
  } finally {
    rmSync(LOCK, { force: true })
  }
}

function compile(): string | null {
  const partial = `${KUBE_APISERVER}.${process.pid}`
  const settings = 'k8s.io/component-base/version'
  const [major, minor] = VERSION.split('.')
  const flags = `-s -w -X ${settings}.gitVersion=v${VERSION} -X ${settings}.gitMajor=${major} -X ${settings}.gitMinor=${minor}`
  const args = ['build', '-trimpath', '-ldflags', flags, '-o', partial, 'k8s.io/kubernetes/cmd/kube-apiserver']
  const env = { ...process.env, CGO_ENABLED: '0' }
  const run = spawnSync('go', args, { cwd: MODULE, env, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (run.status === 0) {
    renameSync(partial, KUBE_APISERVER)
    return null
  }
  rmSync(partial, { force: true })
  const lastLine = run.stderr?.trim().split('\n').at(-1)
  return `it cannot be built: ${run.error?.message ?? lastLine}`
}

/** Waits while another process builds; where that went well, there is nothing left to do. */
function takeLock(): void {
  for (;;) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' })
      return
    } catch {
      // Another process builds.
    }
    // Synchronous like the build: whoever asks cannot go on without the answer.
    while (isHeld()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS)
    if (existsSync(KUBE_APISERVER)) return
    // Its holder was ended in the middle, or failed.
    rmSync(LOCK, { force: true })
  }
}

function isHeld(): boolean {
  try {
    process.kill(Number(readFileSync(LOCK, 'utf8')), 0)
    return true
  } catch {
    return false
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problem = buildKubeApiserver()
  if (problem !== null) {
    console.error(problem)
    process.exitCode = 1
  }
}
