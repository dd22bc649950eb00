/**
 * The Dockerfile copies everything that its build reads. Checked without building the image, which few machines can do.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** What each stage copies from the build context, by the stage's name; the last stage is named after its image. */
function copiedByStage(dockerfile: string): Map<string, string[]> {
  const stages = dockerfile.split(/^FROM .*?(\S+)$/m)
  const copied = (text: string): string[] =>
    [...text.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, paths]) => paths.split(/\s+/).slice(0, -1))
  return new Map(stages.flatMap((name, at) => (at % 2 === 1 ? [[name, copied(stages[at + 1])]] : [])))
}

/** Whether a path is one of these files, or in one of these folders. */
const isWithin = (path: string, places: readonly string[]): boolean =>
  places.some((place) => path === place || path.startsWith(`${place}/`))

/** Files that a source file imports, statically or on demand, from the root. */
function importsOf(path: string): string[] {
  const specifiers = [...read(path).matchAll(/(?:\bfrom|\bimport\(|^import) ?'(\.{1,2}\/[^'$]+)'/gm)]
  return specifiers.map(([, specifier]) => join(dirname(path), specifier))
}

/** The file and all that it imports. */
function withImports(entry: string, found = new Set<string>()): Set<string> {
  if (found.has(entry)) return found
  found.add(entry)
  if (/\.tsx?$/.test(entry) && existsSync(join(ROOT, entry))) {
    for (const imported of importsOf(entry)) withImports(imported, found)
  }
  return found
}

/** Files and folders that `npm run build` names, and everything that they import. */
function readByBuild(): Set<string> {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const commands = Object.keys(scripts).filter((name) => name === 'build' || name.startsWith('build:'))
  const words = commands.flatMap((name) => scripts[name].split(/[\s=]+/))
  const sources = words.map((word) => word.replace(/^dist\/(.*)\.js$/, '$1.ts'))
  const named = sources.filter((path) => path !== '.' && !path.startsWith('dist/') && existsSync(join(ROOT, path)))
  const program = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const modules = program.filter((path) => /\.tsx?$/.test(path)).map((path) => `src/${path}`)
  const files = new Set(['package.json', 'tsconfig.json'])
  for (const path of [...named, ...modules]) withImports(path, files)
  return files
}

const stages = copiedByStage(read('deploy/Dockerfile'))
const sent = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path]) => path)

test('Dockerfile: everything that it copies exists and is sent to the builder', () => {
  const copied = [...stages.values()].flat()
  assert.ok(copied.length > 10, copied.join())
  assert.deepEqual(
    copied.filter((path) => !existsSync(join(ROOT, path)) || !isWithin(path.replace(/^\.\//, ''), sent)),
    [],
  )
})

test('Dockerfile: everything that the program’s build reads is copied before it', () => {
  const files = readByBuild()
  for (const path of ['scripts/bundle.ts', 'scripts/merge-chunks.ts', 'src/main.ts']) assert.ok(files.has(path), path)
  const copied = stages.get('build') ?? []
  assert.deepEqual(
    [...files].filter((path) => !isWithin(path, copied)),
    [],
  )
})
