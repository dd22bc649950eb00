/** Whether dist/ is what the sources compile to: tests of old code must not pass for tests of the new. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What tsconfig.json includes. */
const FOLDERS = ['src', 'rig', 'test', 'bench', 'deploy', 'scripts']
const SOURCE = /\.(ts|tsx|css|html)$/
/** The bundle is written after everything else, also where nothing has changed; a build that fails does not reach it. */
const LAST_BUILT = join('dist', 'bundle', 'main.js')

/** @returns a source file, from `root`, that the last successful build has not seen; null when it has seen all */
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
