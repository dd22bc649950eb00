/** Rules for imports: layers, stages, packages behind one module, and no circles. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'
import { CIRCLES, FOLDERS, folderOf, LAYERS, SEAMS, STAGES } from './layers.ts'
import { files, filesIn, type Import, programImports, type SourceFile } from './source-tree.ts'

const sources = filesIn('src')
const levels = new Map(LAYERS.flatMap(({ folders }, index) => folders.map((folder) => [folder, index] as const)))

/** Every import of one file of src/ by another, as a line that can be searched for. */
function importsBetween(isWrong: (from: string, to: string) => boolean): string[] {
  const wrong = ({ path, imports }: SourceFile): string[] =>
    imports
      .filter(({ target, kind }) => kind === 'import' && target.startsWith('src/') && isWrong(path, target))
      .map(({ target }) => `${path} imports ${target}`)
  return [...new Set(sources.flatMap(wrong))]
}

test('layers: the table has every folder of src/', () => {
  assert.deepEqual([...levels.keys()].sort(), readdirSync(join(ROOT, 'src')).sort())
})

test('layers: no file imports from a layer above its own, or from another folder of its own layer', () => {
  const isWrong = (from: string, to: string): boolean => {
    const [own, other] = [folderOf(from), folderOf(to)]
    return own !== other && levels.get(other)! <= levels.get(own)!
  }
  assert.deepEqual(importsBetween(isWrong), [])
})

test('stages: none imports another', () => {
  const isStage = (folder: string): boolean => STAGES.some((stage) => stage === folder)
  const isWrong = (from: string, to: string): boolean =>
    isStage(folderOf(from)) && isStage(folderOf(to)) && folderOf(from) !== folderOf(to)
  assert.deepEqual(importsBetween(isWrong), [])
})

for (const { packages, within, why } of SEAMS) {
  test(`packages: ${packages.source} is imported in ${within} only (${why})`, () => {
    const users = sources.filter(({ imports }) => imports.some(({ target }) => packages.test(target)))
    assert.deepEqual(
      users.map(({ path }) => path).filter((path) => !path.startsWith(within)),
      [],
    )
  })
}

for (const [folder, others] of Object.entries(FOLDERS)) {
  test(`folders: ${folder}/ imports nothing but ${[folder, ...others].map((name) => `${name}/`).join(', ')}`, () => {
    const isWrong = ({ target }: Import): boolean =>
      files.has(target) && ![folder, ...others].includes(target.split('/')[0])
    const wrong = filesIn(folder).flatMap(({ path, imports }) =>
      imports.filter(isWrong).map(({ target }) => `${path} imports ${target}`),
    )
    assert.deepEqual(wrong, [])
  })
}

/** What each file imports, by its path. */
type Graph = ReadonlyMap<string, readonly string[]>

/** Files that reach each other by imports, in groups of two and more. Source: Tarjan, Depth-first search, 1972. */
function findCircles(graph: Graph): string[][] {
  const circles: string[][] = []
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const visit = (path: string): void => {
    const index = order.size
    order.set(path, index)
    lowest.set(path, index)
    open.push(path)
    for (const target of graph.get(path) ?? []) {
      if (!graph.has(target)) continue
      if (!order.has(target)) visit(target)
      if (open.includes(target)) lowest.set(path, Math.min(lowest.get(path)!, lowest.get(target)!))
    }
    if (lowest.get(path) !== index) return
    const group = open.splice(open.indexOf(path))
    if (group.length > 1) circles.push(group.sort())
  }
  for (const path of graph.keys()) if (!order.has(path)) visit(path)
  return circles.sort()
}

test('imports: no files import each other in a circle', () => {
  const importsOf = ({ imports }: SourceFile): string[] =>
    imports.filter(({ kind }) => kind === 'import').map(({ target }) => target)
  const graph = new Map([...files].map(([path, file]) => [path, importsOf(file)]))
  assert.deepEqual(findCircles(graph), CIRCLES.map(({ files }) => [...files].sort()).sort())
})

test('imports: no files of the assembler’s program import each other in a circle', () => {
  assert.deepEqual(findCircles(programImports()), [])
})

/**
 * Modules that the page of `interceptor ui` may share with the program. The page runs in a browser, and all others need
 * Node.js.
 */
const SHARED_WITH_PAGE = [
  'src/format/traffic-text.ts',
  'src/format/units.ts',
  'src/routes/route-names.ts',
  'src/routes/route-row.ts',
  'src/ui/protocol.ts',
]

test('page: imports only its own files, the shared modules, and three packages', () => {
  const folder = 'src/ui/page'
  const packages = /^(?:preact(?:\/hooks)?|@preact\/signals|@dagrejs\/dagre)$/
  const isAllowed = (specifier: string): boolean => {
    if (!specifier.startsWith('.')) return packages.test(specifier)
    const target = join(folder, specifier)
    return target.startsWith(`${folder}/`) || SHARED_WITH_PAGE.includes(target)
  }
  const wrong = readdirSync(join(ROOT, folder))
    .filter((name) => /\.tsx?$/.test(name))
    .flatMap((name) => {
      const text = readFileSync(join(ROOT, folder, name), 'utf8')
      const specifiers = [...text.matchAll(/ from '([^']+)'/g)].map(([, specifier]) => specifier)
      return specifiers.filter((one) => !isAllowed(one)).map((one) => `${name} imports ${one}`)
    })
  assert.deepEqual(wrong, [])
})
