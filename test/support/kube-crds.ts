/**
 * Definitions of the custom resources that the chart can render: the Prometheus operator's monitors and rules, OpenShift's
 * security context constraints. Downloaded once into `.cache/kube-crds` from their projects' Go modules.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { needs } from '../../rig/needs.ts'
import { CACHE } from '../../rig/root.ts'

const FOLDER = join(CACHE, 'kube-crds')

const MONITORING = 'example/prometheus-operator-crd'
const OPENSHIFT = 'security/v1/zz_generated.crd-manifests'
const SOURCES = [
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    files: ['podmonitors', 'servicemonitors', 'prometheusrules'].map(
      (name) => `${MONITORING}/monitoring.coreos.com_${name}.yaml`,
    ),
  },
  {
    module: 'github.com/openshift/api@v0.0.0-20240524162738-d899f8877d22',
    files: [`${OPENSHIFT}/0000_03_config-operator_01_securitycontextconstraints.crd.yaml`],
  },
]

/** The cache of an earlier version may lack a file. */
const isComplete = (): boolean =>
  SOURCES.every(({ files }) => files.every((file) => existsSync(join(FOLDER, basename(file)))))

/** For node:test's `skip`: false if the definitions are available, else the reason; always false with CI=true. */
export function needsKubeCrds(): string | false {
  if (isComplete()) return false
  const missing = needs('go')
  if (missing !== false) return missing
  const reason = fetchCrds()
  return reason === null || process.env['CI'] === 'true' ? false : `needs definitions of operators (${reason})`
}

/** Paths of the definitions, once they are downloaded. */
export const crdFiles = (): string[] => readdirSync(FOLDER).map((name) => join(FOLDER, name))

/** @returns null, or why the download failed */
function fetchCrds(): string | null {
  const partial = `${FOLDER}.${process.pid}`
  try {
    mkdirSync(partial, { recursive: true })
    for (const { module, files } of SOURCES) {
      const folder = download(module)
      for (const file of files) copyFileSync(join(folder, file), join(partial, basename(file)))
    }
    rmSync(FOLDER, { recursive: true, force: true })
    renameSync(partial, FOLDER)
    return null
  } catch (error) {
    // Another test process may have downloaded them meanwhile.
    return isComplete() ? null : `they cannot be downloaded: ${(error as Error).message}`
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/** Downloads a module into Go's cache. @returns the module's folder */
function download(module: string): string {
  const { status, stdout, error } = spawnSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8' })
  if (error !== undefined) throw error
  const { Dir: folder, Error: reason } = JSON.parse(stdout) as { Dir?: string; Error?: string }
  if (status !== 0 || folder === undefined) throw new Error(reason ?? `go ended with ${status}`)
  return folder
}
