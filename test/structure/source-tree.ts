/**
 * The TypeScript sources as the compiler sees them, for tests that check rules about them: which file imports what, what
 * each file exports, and the syntax trees. Read once for each test process, through the compiler's own API.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { after } from 'node:test'
import {
  isAwaitExpression,
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isNamedExports,
  isNamedImports,
  isNamespaceImport,
  isObjectBindingPattern,
  isStringLiteral,
  isVariableDeclaration,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast'
import { API, type Checker } from 'typescript/unstable/sync'
import { ROOT } from '../../rig/root.ts'

/** One import of another module by a file. */
export interface Import {
  /** A path from the root (`src/errors.ts`), or a package (`koffi`, `node:fs`). */
  target: string
  /** The imported names; `*`: all of them, or unknown names. */
  names: string[]
  /**
   * `import`: an import or a re-export, of types too; `load`: the file is named in a string, as an entry of a thread or
   * a child process.
   */
  kind: 'import' | 'load'
}

export interface SourceFile {
  /** Path from the root. */
  path: string
  text: string
  tree: Node
  imports: Import[]
}

const isRelative = (specifier: string): boolean => specifier.startsWith('./') || specifier.startsWith('../')

/** Entries of threads and processes are named by what they are compiled to. */
const sourceName = (path: string): string => path.replace(/\.js$/, '.ts')

function resolveTarget(from: string, specifier: string): string {
  return isRelative(specifier) ? sourceName(join(dirname(from), specifier)) : specifier
}

/** Folders of AssemblyScript: tsconfig.json excludes them. */
const ASSEMBLY_SCRIPT = [
  'src/assemble/core',
  'test/assemble/core',
  'src/capture/intake/plain-core',
  'src/kafka/crc-core',
  'src/pair/json-core',
  'src/wasm',
  'test/pair/programs',
]

/** What each file of the assembler's program imports, and of the programs that test parts of it. */
export function programImports(): Map<string, string[]> {
  const paths = ASSEMBLY_SCRIPT.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  const targetsOf = (path: string): string[] =>
    [...readFileSync(join(ROOT, path), 'utf8').matchAll(/ from '(\.[^']+)'/g)].map(([, specifier]) =>
      join(dirname(path), specifier.endsWith('.ts') ? specifier : `${specifier}.ts`),
    )
  return new Map(paths.filter((path) => path.endsWith('.ts')).map((path) => [path, targetsOf(path)]))
}

/** Calls `visit` for a node and all that it holds. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  node.forEachChild((child) => walk(child, visit))
}

/** The names of an import clause; empty without one, as in `import './x.ts'`. */
function importedNames(bindings: Node | undefined): string[] {
  if (bindings === undefined) return []
  if (isNamedImports(bindings) || isNamedExports(bindings)) {
    return bindings.elements.map((element) => (element.propertyName ?? element.name).text)
  }
  return ['*']
}

/** The names in `const { a, b } = await import('./x.ts')`; `*` if the module is used in another way. */
function loadedNames(call: Node): string[] {
  const awaited = call.parent
  const declaration = isAwaitExpression(awaited) ? awaited.parent : awaited
  if (!isVariableDeclaration(declaration) || !isObjectBindingPattern(declaration.name)) return ['*']
  return declaration.name.elements.map((element) => (element.propertyName ?? element.name)?.getText() ?? '*')
}

/** @returns what a node imports, null when it imports nothing */
function importOf(from: string, node: Node): Import | null {
  const to = (specifier: string, names: string[], kind: Import['kind'] = 'import'): Import => ({
    target: resolveTarget(from, specifier),
    names,
    kind,
  })
  if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier)) {
    const clause = node.importClause
    const bindings = clause?.namedBindings
    const names = bindings !== undefined && isNamespaceImport(bindings) ? ['*'] : importedNames(bindings)
    return to(node.moduleSpecifier.text, clause?.name === undefined ? names : ['default', ...names])
  }
  if (isExportDeclaration(node) && node.moduleSpecifier !== undefined && isStringLiteral(node.moduleSpecifier)) {
    return to(node.moduleSpecifier.text, node.exportClause === undefined ? ['*'] : importedNames(node.exportClause))
  }
  if (isImportTypeNode(node) && isLiteralTypeNode(node.argument) && isStringLiteral(node.argument.literal)) {
    return to(node.argument.literal.text, [node.qualifier?.getText() ?? '*'])
  }
  if (isCallExpression(node) && node.arguments.length > 0) {
    const [argument] = node.arguments
    const callee = node.expression
    const loads = callee.kind === SyntaxKind.ImportKeyword || /^(?:require$|createRequire\()/.test(callee.getText())
    if (loads && isStringLiteral(argument)) return to(argument.text, loadedNames(node))
  }
  if (isStringLiteral(node) && isRelative(node.text) && node.text.endsWith('.js')) return to(node.text, ['*'], 'load')
  return null
}

function readFile(path: string, tree: Node): SourceFile {
  const imports: Import[] = []
  walk(tree, (node) => {
    const found = importOf(path, node)
    if (found !== null) imports.push(found)
  })
  return { path, text: readFileSync(join(ROOT, path), 'utf8'), tree, imports }
}

/** The project of tsconfig.json: its files by path from the root, and its type checker. The compiler ends with the tests. */
function openProject(): { files: ReadonlyMap<string, SourceFile>; checker: Checker } {
  const api = new API({ cwd: ROOT })
  after(() => api.close())
  const [project] = api.updateSnapshot({ openProjects: [join(ROOT, 'tsconfig.json')] }).getProjects()
  const files = project.rootFiles.map((file): [string, SourceFile] => {
    const path = relative(ROOT, file)
    const tree = project.program.getSourceFile(file)
    if (tree === undefined) throw new Error(`the compiler does not know ${path}`)
    return [path, readFile(path, tree)]
  })
  return { files: new Map(files.sort()), checker: project.checker }
}

export const { files, checker } = openProject()

/** Those below a folder of the root. */
export const filesIn = (folder: string): SourceFile[] =>
  [...files.values()].filter(({ path }) => path.startsWith(`${folder}/`))
