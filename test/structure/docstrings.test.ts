/** Which exports of src/ must have docstrings. CONTRIBUTING.md describes their content. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'

const CORE = 'src/assemble/core/'

interface Export {
  readonly kind: 'function' | 'class' | 'constant' | 'type'
  readonly name: string
  /** Whether a docstring precedes it, or the group of constants to which it belongs. */
  readonly documented: boolean
}

interface Module {
  readonly path: string
  /** Whether the file begins with a comment. */
  readonly hasHead: boolean
  readonly exports: readonly Export[]
}

/** `export const f = (a) => …`, also where the parameters continue on the next line. */
const FUNCTION =
  /^export (?:declare )?(?:async )?function\b|^export const \w+ = (?:async )?(?:<.*>)?\((?!\{$)[^)]*(?:\).*=>|$)/
const CLASS = /^export (?:abstract )?class\b/
const CONSTANT = /^export (?:const|let)\b/
/** What is permitted between a docstring and its export. */
const BETWEEN = /^(?:@|\/\/)/

function kindOf(line: string): Export['kind'] {
  if (FUNCTION.test(line)) return 'function'
  if (CLASS.test(line)) return 'class'
  return CONSTANT.test(line) ? 'constant' : 'type'
}

function readExports(lines: readonly string[]): Export[] {
  const isDocumented = (at: number): boolean => {
    let before = at - 1
    while (before >= 0 && BETWEEN.test(lines[before])) before -= 1
    if (before < 0) return false
    if (lines[before].endsWith('*/')) return true
    return CONSTANT.test(lines[at]) && CONSTANT.test(lines[before]) && isDocumented(before)
  }
  return lines.flatMap((line, at) => {
    const name = /^export .*?(?:function\*?|class|const|let|interface|type|namespace) (\w+)/.exec(line)?.[1]
    return name === undefined ? [] : [{ kind: kindOf(line), name, documented: isDocumented(at) }]
  })
}

const modules: readonly Module[] = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => {
    const path = join('src', name)
    const text = readFileSync(join(ROOT, path), 'utf8')
    return { path, hasHead: text.startsWith('/**'), exports: readExports(text.split('\n')) }
  })

const missing = (isRequired: (module: Module, entry: Export) => boolean): string[] =>
  modules.flatMap((module) =>
    module.exports
      .filter((entry) => !entry.documented && isRequired(module, entry))
      .map(({ name }) => `${module.path}: ${name}`),
  )

test('docstrings: every export of the assembler’s program has one', () => {
  assert.deepEqual(
    missing(({ path }) => path.startsWith(CORE)),
    [],
  )
})

test('docstrings: every exported function of src/ has one', () => {
  assert.ok(modules.flatMap(({ exports }) => exports).filter(({ kind }) => kind === 'function').length > 500)
  assert.deepEqual(
    missing((_, { kind }) => kind === 'function'),
    [],
  )
})

/** The head comment of a file that exports one class describes this class. */
test('docstrings: every exported class of src/ has one, or is the only one of a file with a head', () => {
  const isDescribedByHead = ({ hasHead, exports }: Module): boolean =>
    hasHead && exports.filter(({ kind }) => kind === 'class').length === 1
  assert.deepEqual(
    missing((module, { kind }) => kind === 'class' && !isDescribedByHead(module)),
    [],
  )
})
