/** Rules for single source files for which Biome has no rule. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isNonNullExpression, type Node, type NonNullExpression } from 'typescript/unstable/ast'
import { ROOT } from '../../rig/root.ts'
import { checker, files, type SourceFile, walk } from './source-tree.ts'

const MAX_LINES = 500
const FOLDERS = ['src', 'rig', 'test', 'bench', 'deploy', 'scripts']

test(`files: none is longer than ${MAX_LINES} lines`, () => {
  const paths = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.[cm]?[jt]s$/.test(path))
      .map((path) => join(folder, path)),
  )
  const lengths = paths.map((path) => ({ path, lines: readFileSync(join(ROOT, path), 'utf8').split('\n').length - 1 }))
  assert.deepEqual(
    lengths.filter(({ lines }) => lines > MAX_LINES),
    [],
  )
})

/** 1-based. */
const lineOf = ({ text }: SourceFile, node: Node): number => text.slice(0, node.end).split('\n').length

/** The `!`s of a file whose operand's type contains neither null nor undefined. */
function idleAssertions(file: SourceFile): string[] {
  const assertions: NonNullExpression[] = []
  walk(file.tree, (node) => {
    if (isNonNullExpression(node)) assertions.push(node)
  })
  if (assertions.length === 0) return []
  const types = checker.getTypeAtLocation(assertions.map(({ expression }) => expression))
  const idle = assertions.filter((_, index) => {
    const type = types[index]
    return type !== undefined && checker.isTypeAssignableTo(type, checker.getNonNullableType(type)!)
  })
  return idle.map((node) => `${file.path}:${lineOf(file, node)}: ${node.getText()}`)
}

// The type of an element does not include undefined (noUncheckedIndexedAccess is off), so this covers a `!` after an
// index.
test('code: no `!` asserts what the type already states', () => {
  assert.deepEqual([...files.values()].flatMap(idleAssertions), [])
})
