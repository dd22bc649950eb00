/** What compiled files import, from their text. Each file is read once. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const IMPORTS = /(?:^(?:import|export) (?:([^'";]+) from )?|\bimport\()'([^']+\.js|[^.'][^']*)'/gm

export interface Compiled {
  text: string
  /** Modules of packages and of Node.js, with the imported names. */
  packages: { names: string[]; target: string }[]
  /** Paths of other compiled files. An import in a string, for example of a program that a test writes, names none. */
  files: string[]
}

export class CompiledImports {
  readonly #files = new Map<string, Compiled>()

  read(path: string): Compiled {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    const compiled = parse(path, readFileSync(path, 'utf8'))
    this.#files.set(path, compiled)
    return compiled
  }

  /** @param file path of a compiled file. @returns its path, and those of all files that it imports, directly or not */
  filesOf(file: string): Set<string> {
    const found = new Set([file])
    for (const path of found) for (const imported of this.read(path).files) found.add(imported)
    return found
  }
}

function parse(path: string, text: string): Compiled {
  const imports = [...text.matchAll(IMPORTS)].map(([, names = '*', target]) => ({ names: namesIn(names), target }))
  const files = imports.flatMap(({ target }) => (target.startsWith('.') ? [join(dirname(path), target)] : []))
  return {
    text,
    packages: imports.filter(({ target }) => !target.startsWith('.')),
    files: files.filter((file) => existsSync(file)),
  }
}

/** `{ isIP, connect as open }` → `isIP`, `connect` */
const namesIn = (clause: string): string[] =>
  clause
    .replace(/[{}]/g, '')
    .split(',')
    .map((part) => part.trim().split(/\s+as\s+/)[0])
    .filter((name) => name !== '')
