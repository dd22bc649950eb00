/** The size of the image, by part. */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ImageBuilder, needsImageBuilder } from '../rig/image-builder.ts'
import { figure, type Missing, type Section } from './report.ts'

const NAME = 'localhost/interceptor:bench'
const PARTS = [
  ['Node.js', 'usr/local/bin/node'],
  ['the bundled program', 'app/dist'],
  ['packages beside it', 'app/node_modules'],
] as const

export function measureImage(): Section | Missing {
  const missing = needsImageBuilder()
  if (missing !== false) return { what: 'the image', why: missing }
  const builder = new ImageBuilder()
  try {
    builder.build('deploy/Dockerfile', NAME)
    const { files } = builder.container(NAME)
    const parts = PARTS.map(([what, path]) => ({ what, mb: megabytes(join(files, path)) }))
    const all = megabytes(files)
    const rest = all - parts.reduce((sum, { mb }) => sum + mb, 0)
    const rows = [...parts, { what: 'libraries and the rest', mb: rest }, { what: 'everything', mb: all }]
    return {
      title: 'Image: files, not compressed',
      columns: ['', 'MB'],
      rows: rows.map(({ what, mb }) => [what, figure(mb)]),
      notes: [],
      data: { rows },
    }
  } finally {
    builder.remove()
  }
}

/** A file's size, or that of everything in a folder. Symbolic links are not followed. */
function megabytes(path: string): number {
  const root = lstatSync(path)
  if (!root.isDirectory()) return root.size / 1e6
  const inside = readdirSync(path, { recursive: true, encoding: 'utf8' })
  return inside.reduce((sum, each) => sum + lstatSync(join(path, each)).size, 0) / 1e6
}
