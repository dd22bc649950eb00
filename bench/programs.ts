/** Programs and files that the benchmarks use where they exist. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Another script of this folder. */
export const script = (name: string): string => join(import.meta.dirname, `${name}.js`)

export function inPath(program: string): boolean {
  const folders = ['/usr/sbin', '/sbin', ...(process.env['PATH'] ?? '').split(':')]
  return folders.some((folder) => existsSync(join(folder, program)))
}
