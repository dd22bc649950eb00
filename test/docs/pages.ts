/** The pages of the documentation. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../rig/root.ts'

const FOLDERS = [
  '.',
  'docs',
  'deploy',
  'deploy/helm/interceptor',
  'bench',
  'examples',
  'test',
  'test/fixtures',
  'types',
]

export const readPage = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Paths from the root. */
export const PAGES: readonly string[] = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
).sort()
