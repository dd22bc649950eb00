/** Whether dist/ is current, so that tests never run old code. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Folders that tsconfig.json includes. */
const FOLDERS = ['src', 'rig', 'test', 'bench', 'deploy', 'scripts']
const SOURCE = /\.(ts|tsx|css|html)$/
/** A successful build writes the bundle last, even if nothing has changed; a failed build does not write it. */
const LAST_BUILT = join('dist', 'bundle', 'main.js')

/** @returns a source file, relative to `root`, that is newer than the last successful build; null if there is none */
export function unbuiltSource(root: string): string | null {
  const built = join(root, LAST_BUILT)
  const builtMs = existsSync(built) ? statSync(built).mtimeMs : 0
  for (const folder of FOLDERS) {
    for (const path of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (SOURCE.test(path) && statSync(join(root, folder, path)).mtimeMs > builtMs) return join(folder, path)
    }
  }
  return null
}
