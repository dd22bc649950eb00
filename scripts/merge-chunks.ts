/**
 * Merges files of a bundle that are loaded one after the other into one: esbuild makes a file of all modules that the same parts of
 * the program share, and loading fifty small files takes some 20 ms more than loading one with their content.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

/** The forms in which esbuild writes imports of other files: of names, for side effects, and on demand. */
const NAMES = /^import \{([^}]*)\} from "\.\/([^"]+)\.js";$/gm
const EFFECTS = /^import "\.\/([^"]+)\.js";$/gm
const ON_DEMAND = /\bimport\("\.\/([^"]+)\.js"\)/g
const EXPORTS = /^export \{([^}]*)\};$/gm

export interface Merge {
  /** The file that is loaded before, or the first part of its name: it and what it imports stay as they are. */
  entry: string
  /** Modules that the merged file begins with, by the first part of their file's name; with all that they import. */
  roots: readonly string[]
  /** Of the merged file, without extension. */
  name: string
  /** Text before the content of each file. */
  banner: string
}

/** @param folder where all of these files are */
export async function mergeChunks(folder: string, { entry, roots, name, banner }: Merge): Promise<void> {
  const files = readdirSync(folder).flatMap((file) => (file.endsWith('.js') ? file.slice(0, -'.js'.length) : []))
  const texts = new Map(files.map((file) => [file, readFileSync(join(folder, `${file}.js`), 'utf8')]))
  const before = importedBy([files.includes(entry) ? entry : fileOf(entry, files)], texts)
  const merged = [
    ...importedBy(
      roots.map((root) => fileOf(root, files)),
      texts,
    ),
  ].filter((file) => !before.has(file))
  await build({
    stdin: { contents: merged.map((file) => exportsOf(file, texts.get(file) ?? '')).join(''), resolveDir: folder },
    outfile: join(folder, `${name}.js`),
    bundle: true,
    platform: 'node',
    format: 'esm',
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
    packages: 'external',
    external: files.filter((file) => !merged.includes(file)).map((file) => `./${file}.js`),
    banner: { js: banner },
    plugins: [withoutBanner(banner)],
  })
  for (const file of merged) for (const end of ['.js', '.js.map']) rmSync(join(folder, `${file}${end}`))
  for (const [file, text] of texts) {
    if (!merged.includes(file)) writeFileSync(join(folder, `${file}.js`), redirected(text, merged, name))
  }
}

/** @throws Error when there is not exactly one */
function fileOf(root: string, files: readonly string[]): string {
  const found = files.filter((file) => new RegExp(`^${root}-[A-Z0-9]{8}$`).test(file))
  if (found.length !== 1) throw new Error(`the bundle has ${found.length} files for ${root}`)
  return found[0]
}

/** These files, and all that they import before they run. */
function importedBy(roots: readonly string[], texts: ReadonlyMap<string, string>): Set<string> {
  const found = new Set(roots)
  for (const file of found) {
    const text = texts.get(file) ?? ''
    for (const [, , other] of text.matchAll(NAMES)) found.add(other)
    for (const [, other] of text.matchAll(EFFECTS)) found.add(other)
  }
  return found
}

/** Exports all of a file under names that no other one has. */
function exportsOf(file: string, text: string): string {
  const prefix = prefixOf(file)
  const names = [...text.matchAll(EXPORTS)].flatMap(([, list]) =>
    namesIn(list).map((each) => each.split(' as ').at(-1)),
  )
  const renamed = names.map((each) => `${each} as ${prefix}${each}`)
  return `export { ${renamed.join(', ')} } from './${file}.js'\nexport * as ${prefix} from './${file}.js'\n`
}

/** Makes a file import from the merged one. */
function redirected(text: string, merged: readonly string[], name: string): string {
  const own = (match: string, file: string, to: (prefix: string) => string): string =>
    merged.includes(file) ? to(prefixOf(file)) : match
  return text
    .replace(NAMES, (match, list: string, file: string) =>
      own(match, file, (prefix) => {
        const renamed = namesIn(list).map((each) =>
          each.includes(' as ') ? prefix + each : `${prefix}${each} as ${each}`,
        )
        return `import { ${renamed.join(', ')} } from "./${name}.js";`
      }),
    )
    .replace(EFFECTS, (match, file: string) => own(match, file, () => `import "./${name}.js";`))
    .replace(ON_DEMAND, (match, file: string) =>
      own(match, file, (prefix) => `import("./${name}.js").then((merged) => merged.${prefix})`),
    )
}

const namesIn = (list: string): string[] => list.split(',').flatMap((each) => each.trim() || [])

const prefixOf = (file: string): string => `${file.replaceAll('-', '_')}$`

/** The merged file has the banner once. */
const withoutBanner = (banner: string) => ({
  name: 'without-banner',
  setup: ({ onLoad }: Parameters<import('esbuild').Plugin['setup']>[0]) => {
    onLoad({ filter: /\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(banner, ''),
      loader: 'js',
    }))
  },
})
