/**
 * The definitions of what operators add to an API server and our chart may render: the Prometheus operator's monitors and
 * rules, OpenShift's security context constraints. Fetched once into `.cache/kube-crds` from their projects' Go modules.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { needs } from './needs.ts'

/** The checkout's root, from dist/test/support. */
const ROOT = join(import.meta.dirname, '..', '..', '..')
const FOLDER = join(ROOT, '.cache', 'kube-crds')

const MONITORING = 'example/prometheus-operator-crd'
const OPENSHIFT = 'security/v1/zz_generated.crd-manifests'
const SOURCES = [
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    files: ['podmonitors', 'prometheusrules'].map((name) => `${MONITORING}/monitoring.coreos.com_${name}.yaml`),
  },
  {
    module: 'github.com/openshift/api@v0.0.0-20240524162738-d899f8877d22',
    files: [`${OPENSHIFT}/0000_03_config-operator_01_securitycontextconstraints.crd.yaml`],
  },
]

/** For node:test's `skip`: false where the definitions can be had, else why not; with CI=true always false. */
export function needsKubeCrds(): string | false {
  if (existsSync(FOLDER)) return false
  const missing = needs('go')
  if (missing !== false) return missing
  const reason = fetchCrds()
  return reason === null || process.env['CI'] === 'true' ? false : `needs definitions of operators (${reason})`
}

/** Their files, once they are fetched. */
export const crdFiles = (): string[] => readdirSync(FOLDER).map((name) => join(FOLDER, name))

/** @returns null, or why they cannot be had */
function fetchCrds(): string | null {
  const partial = `${FOLDER}.${process.pid}`
  try {
    mkdirSync(partial, { recursive: true })
    for (const { module, files } of SOURCES) {
      const folder = download(module)
      for (const file of files) copyFileSync(join(folder, file), join(partial, basename(file)))
    }
    renameSync(partial, FOLDER)
    return null
  } catch (error) {
    // Another test process may have been quicker.
    return existsSync(FOLDER) ? null : `they cannot be fetched: ${(error as Error).message}`
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/** Into Go's own cache. @returns the module's folder there */
function download(module: string): string {
  const { status, stdout, error } = spawnSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8' })
  if (error !== undefined) throw error
  const { Dir: folder, Error: reason } = JSON.parse(stdout) as { Dir?: string; Error?: string }
  if (status !== 0 || folder === undefined) throw new Error(reason ?? `go ended with ${status}`)
  return folder
}
