/**
 * The real kube-apiserver for tests, built from source with Go, once, into `.cache/kube-apiserver`. The go.mod beside
 * this file is needed because k8s.io/kubernetes cannot be installed by name: its go.mod replaces modules by folders of its
 * repository. A build lasts minutes, so CI runs this file before the tests:
 *
 *     node dist/rig/kube-apiserver-build.js
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildOnce, reportBuild } from './built-once.ts'
import { CACHE, ROOT } from './root.ts'

const VERSION = '1.35.0'
const MODULE = join(ROOT, 'rig', 'kube-apiserver')

/** The binary, once it is built. */
export const KUBE_APISERVER = join(CACHE, 'kube-apiserver', `kube-apiserver-${VERSION}`)

/** Builds the binary where it is missing. @returns null, or the reason why it cannot be built */
export const buildKubeApiserver = (): string | null => buildOnce(KUBE_APISERVER, compile)

function compile(path: string): string | null {
  const settings = 'k8s.io/component-base/version'
  const [major, minor] = VERSION.split('.')
  const flags = `-s -w -X ${settings}.gitVersion=v${VERSION} -X ${settings}.gitMajor=${major} -X ${settings}.gitMinor=${minor}`
  const args = ['build', '-trimpath', '-ldflags', flags, '-o', path, 'k8s.io/kubernetes/cmd/kube-apiserver']
  const env = { ...process.env, CGO_ENABLED: '0' }
  const run = spawnSync('go', args, { cwd: MODULE, env, encoding: 'utf8', maxBuffer: 1 << 26 })
  const lastLine = run.stderr?.trim().split('\n').at(-1)
  return run.status === 0 ? null : `it cannot be built: ${run.error?.message ?? lastLine}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) reportBuild(buildKubeApiserver())
