/** Exports: each is imported, those of src/ not only by tests, and no two exported types have the same name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Identifier,
  isClassDeclaration,
  isEnumDeclaration,
  isExportDeclaration,
  isFunctionDeclaration,
  isIdentifier,
  isInterfaceDeclaration,
  isNamedExports,
  isTypeAliasDeclaration,
  isVariableStatement,
  type Node,
} from 'typescript/unstable/ast'
import { files, programImports, type SourceFile, walk } from './source-tree.ts'

/** A statement that begins with `export`; a node's text excludes the comments before it. */
const isExported = (statement: Node): boolean => statement.getText().startsWith('export ')

interface Export {
  name: string
  /** Whether it is a type, which may be exported only because the signature of another export contains it. */
  isType: boolean
}

/** The names that a statement exports. */
function exportedBy(statement: Node): Export[] {
  const isType = isInterfaceDeclaration(statement) || isTypeAliasDeclaration(statement) || isClassDeclaration(statement)
  return exportedNames(statement).map((name) => ({ name, isType }))
}

function exportedNames(statement: Node): string[] {
  if (
    isExportDeclaration(statement) &&
    statement.exportClause !== undefined &&
    isNamedExports(statement.exportClause)
  ) {
    return statement.exportClause.elements.map(({ name }) => name.text)
  }
  if (!isExported(statement)) return []
  if (isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => bindingNames(name))
  }
  const isNamed =
    isFunctionDeclaration(statement) ||
    isClassDeclaration(statement) ||
    isInterfaceDeclaration(statement) ||
    isTypeAliasDeclaration(statement) ||
    isEnumDeclaration(statement)
  return isNamed && statement.name !== undefined ? [statement.name.text] : []
}

function bindingNames(name: Node): string[] {
  if (isIdentifier(name)) return [name.text]
  const names: string[] = []
  walk(name, (node) => {
    if (isIdentifier(node)) names.push(node.text)
  })
  return names
}

function exportsOf(file: SourceFile): Export[] {
  const found: Export[] = []
  file.tree.forEachChild((statement) => {
    found.push(...exportedBy(statement))
  })
  return found
}

/** Files that import each name of each file, by `path#name`; `path#*` for all of its names. */
function importers(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  const add = (key: string, path: string): void => void found.set(key, [...(found.get(key) ?? []), path])
  for (const { path, imports } of files.values()) {
    for (const { target, names, kind } of imports) {
      if (kind === 'import') for (const name of names) add(`${target}#${name}`, path)
    }
  }
  for (const [path, targets] of programImports()) for (const target of targets) add(`${target}#*`, path)
  return found
}

/** Whether a file itself uses a name that it exports. */
function isUsedWithin(file: SourceFile, name: string): boolean {
  const uses: Identifier[] = []
  walk(file.tree, (node) => {
    if (isIdentifier(node) && node.text === name) uses.push(node)
  })
  return uses.length > 1
}

const known = importers()
/** Entry points of threads and child processes, whose exports are called by name. */
const entries = new Set(
  [...files.values()].flatMap(({ imports }) =>
    imports.filter(({ kind }) => kind === 'load').map(({ target }) => target),
  ),
)

interface ExportUse extends Export {
  file: SourceFile
  importedBy: readonly string[]
}

const all: ExportUse[] = [...files.values()]
  .filter(({ path }) => !entries.has(path))
  .flatMap((file) =>
    exportsOf(file).map((entry) => {
      const importedBy = [`${file.path}#${entry.name}`, `${file.path}#*`].flatMap((key) => known.get(key) ?? [])
      return { file, ...entry, importedBy }
    }),
  )

/** Constants of one enumeration share their first word. */
const familyOf = (name: string): string | null => /^([A-Z0-9]+)_/.exec(name)?.[1] ?? null

/** Exported with its enumeration, of which other constants are imported. */
const isOfUsedFamily = ({ file, name }: ExportUse): boolean =>
  familyOf(name) !== null &&
  all.some((other) => other.file === file && other.importedBy.length > 0 && familyOf(other.name) === familyOf(name))

test('exports: everything exported is imported somewhere', () => {
  const isNeeded = (use: ExportUse): boolean =>
    use.importedBy.length > 0 || (isUsedWithin(use.file, use.name) && (use.isType || isOfUsedFamily(use)))
  assert.deepEqual(
    all.filter((use) => !isNeeded(use)).map(({ file, name }) => `${file.path}: ${name}`),
    [],
  )
})

test('exports: src/ has nothing that only tests use', () => {
  const isProgram = (path: string): boolean => !path.startsWith('test/')
  const testOnly = all.filter(
    ({ file, name, importedBy }) =>
      file.path.startsWith('src/') && !importedBy.some(isProgram) && !isUsedWithin(file, name),
  )
  assert.deepEqual(
    testOnly.map(({ file, name }) => `${file.path}: ${name}`),
    [],
  )
})

/** Readers and editors confuse two types of the same name. */
test('exports: no two modules of src/ export a type of the same name', () => {
  const byName = new Map<string, string[]>()
  for (const { file, name, isType } of all) {
    if (isType && file.path.startsWith('src/')) byName.set(name, [...(byName.get(name) ?? []), file.path])
  }
  assert.deepEqual(
    [...byName].filter(([, paths]) => paths.length > 1),
    [],
  )
})
