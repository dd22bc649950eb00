/**
 * Builds what takes minutes and is kept for the checkout, before any test file runs: a file's time limit is for its
 * tests, and files that need the same part would only wait for each other.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { needs, type Part } from '../../rig/needs.ts'
import { ROOT } from '../../rig/root.ts'
import type { CompiledImports } from './compiled-imports.ts'
import { killedBefore } from './test-file.ts'

/** Modules of rig/ that build something when they are run, and what they need. Files that import them need what they build. */
const BUILDERS: Readonly<Record<string, readonly Part[]>> = {
  'kafka-jars': ['java'],
  'kube-apiserver-build': ['linux', 'go', 'etcd'],
  kwok: ['linux', 'go'],
  'image-builder': ['linux', 'x64', 'root', 'buildah', 'debootstrap', 'npm'],
}
/** Compiling a kube-apiserver takes ten minutes on a slow machine. */
const TIMEOUT_MS = 1_800_000

const pathOf = (builder: string): string => join(ROOT, 'dist', 'rig', `${builder}.js`)

/** @param files paths of compiled test files. @returns the builders whose results they need */
export function buildersFor(files: readonly string[], imports: CompiledImports): string[] {
  const imported = new Set(files.flatMap((file) => [...imports.filesOf(file)]))
  return Object.keys(BUILDERS).filter((builder) => imported.has(pathOf(builder)))
}

/**
 * Runs builders in parallel, which takes moments when everything is there. It does not matter here whether one succeeds: a
 * test that lacks its result is skipped or fails, with the reason.
 *
 * @param cancelled resolves with a reason when they are to be killed
 */
export async function runBuilders(builders: readonly string[], cancelled: Promise<string>): Promise<void> {
  const runnable = builders.filter((builder) => needs(...BUILDERS[builder]) === false)
  await Promise.all(
    runnable.map((builder) => {
      const path = pathOf(builder)
      return killedBefore(path, TIMEOUT_MS, cancelled, async () => {
        await once(spawn(process.execPath, [path], { stdio: 'ignore' }), 'exit')
      })
    }),
  )
}
