/**
 * kwok, which simulates the kubelets of thousands of nodes: it reports pods as running, gives them addresses, and removes
 * those that are deleted. Built from source with Go, once, into `.cache/kwok`; CI runs this file before the tests:
 *
 *     node dist/rig/kwok.js
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildOnce, reportBuild } from './built-once.ts'
import type { KubeApiserver } from './kube-apiserver.ts'
import { writeAdminKubeconfig } from './kube-tools.ts'
import { needs } from './needs.ts'
import { killAtExit } from './process-tree.ts'
import { CACHE, GO_ENV } from './root.ts'

const VERSION = '0.7.0'
const KWOK = join(CACHE, 'kwok', `kwok-${VERSION}`)

/** For node:test's `skip`: false if kwok can run here, otherwise the reason; always false with CI=true. */
export function needsKwok(): string | false {
  const missing = needs('linux', 'go')
  if (missing !== false) return missing
  const reason = buildKwok()
  return reason === null || process.env['CI'] === 'true' ? false : `needs kwok (${reason})`
}

const buildKwok = (): string | null => buildOnce(KWOK, install)

function install(path: string): string | null {
  const folder = join(dirname(path), `bin.${process.pid}`)
  const env = { ...process.env, CGO_ENABLED: '0', GOBIN: folder }
  const args = ['install', '-trimpath', '-ldflags', '-s -w', `sigs.k8s.io/kwok/cmd/kwok@v${VERSION}`]
  const run = spawnSync('go', args, { env, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (run.status !== 0) return `it cannot be built: ${run.error?.message ?? run.stderr?.trim().split('\n').at(-1)}`
  renameSync(join(folder, 'kwok'), path)
  rmSync(folder, { recursive: true })
  return null
}

/** The kubelets of every node of a cluster. */
export class Kwok {
  readonly #child: ChildProcess
  #output = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-4000)
      })
    }
  }

  /** @param podNetwork CIDR that pods have addresses of */
  static start(cluster: KubeApiserver, podNetwork: string): Kwok {
    const kubeconfig = writeAdminKubeconfig(cluster)
    const args = [
      '--kubeconfig',
      kubeconfig,
      '--manage-all-nodes',
      '--cidr',
      podNetwork,
      '--node-lease-duration-seconds',
    ]
    const env = { ...process.env, ...GO_ENV }
    return new Kwok(killAtExit(spawn(KWOK, [...args, '0'], { env, stdio: ['ignore', 'pipe', 'pipe'] })))
  }

  /** The end of its output. */
  get output(): string {
    return this.#output
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) reportBuild(buildKwok())
