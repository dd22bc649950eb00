/**
 * Bundles the compiled program into dist/bundle, which is what is installed: `npm run build`.
 *
 * A thread loads some ten files instead of a hundred, which is a fifth of the CPU time of a start (bench/findings.md), and
 * packages of which the program uses a part are not installed at all. Packages in `dependencies` are left out of it: those
 * with native code, and those that find their own files.
 *
 * Packages that the sources load with `require`, because few runs need them, are one file each.
 *
 * Each thread's entry is bundled alone, because parts shared by several entries would be files of their own. What the
 * sources import on demand is a file beside the entry. Other files of dist/src, such as the WebAssembly and the page of `ui`, are copied.
 */
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { mergeChunks } from './merge-chunks.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const SOURCES = join(ROOT, 'src')
const COMPILED = join(ROOT, 'dist', 'src')
const OLDEST_NODE = 'node20.19'
/** Bundled CommonJS requires modules of Node.js. */
const BANNER =
  "import { createRequire as requireFrom } from 'node:module';const require = requireFrom(import.meta.url);"
/** Packages that are loaded with `createRequire(import.meta.url)`, in a folder of the bundle. */
const REQUIRED = ['pino', 'yaml']
const PACKAGES = 'packages'
/** What runs before `capture` has its socket. */
const START = ['program', 'effective', 'run-pipeline', 'live-input']
/** What runs directly after that. Threads are loaded alone: a run in the main thread has none, and Piscina is most of their code. */
const RUN = ['run-parts', 'target-set', 'release-memory']

/** Modules that a thread or a process starts with, without extension, from src/. */
function entries(): string[] {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  const started = files.filter((file) => /\.(worker|child)\.ts$/.test(file))
  return ['main.ts', ...started].map((file) => file.replace(/\.ts$/, ''))
}

/** Packages that are installed beside the program, and one that a bundled package requires only for what we do not use. */
function installedPackages(): string[] {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
    optionalDependencies: Record<string, string>
  }
  return [...Object.keys({ ...dependencies, ...optionalDependencies }), 'protobufjs']
}

/** The text of a module, in which `require` names the files of REQUIRED. @param path of the module, from src/ */
const withPackages = (text: string, path: string): string =>
  REQUIRED.reduce((changed, name) => {
    const file = relative(dirname(path), join(PACKAGES, `${name}.cjs`))
    return changed.replaceAll(`createRequire(import.meta.url)('${name}')`, `createRequire(import.meta.url)('${file}')`)
  }, text)

/** Lets `import.meta.url` name the module's own place, as if it was not bundled: other files are found from there. */
const ownUrls = (entryFolder: string): Plugin => ({
  name: 'own-urls',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (path.includes('node_modules')) return null
      const place = relative(join(SOURCES, entryFolder), path).replace(/\.ts$/, '.js')
      const text = withPackages(readFileSync(path, 'utf8'), relative(SOURCES, path))
      const contents = text.replaceAll('import.meta.url', `new URL(${JSON.stringify(place)}, import.meta.url).href`)
      return { contents, loader: 'ts' }
    })
  },
})

/** @returns the files that the bundle of this entry contains, from the root */
async function bundleEntry(entry: string, folder: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join(SOURCES, `${entry}.ts`)],
    outdir: join(folder, dirname(entry)),
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: OLDEST_NODE,
    sourcemap: 'linked',
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
    external: installedPackages(),
    plugins: [ownUrls(dirname(entry))],
    banner: { js: BANNER },
  })
  return Object.keys(metafile.inputs)
}

/** @returns the files that it contains, from the root */
async function bundlePackage(name: string, folder: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { [name]: name },
    outdir: join(folder, PACKAGES),
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: OLDEST_NODE,
    metafile: true,
    logLevel: 'warning',
  })
  return Object.keys(metafile.inputs)
}

/** Copies what no source file compiles to. */
function copyAssets(folder: string): void {
  for (const file of readdirSync(COMPILED, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    const path = relative(COMPILED, join(file.parentPath, file.name))
    const isCompiled = /\.js$/.test(path) && existsSync(join(SOURCES, path.replace(/\.js$/, '.ts')))
    if (!isCompiled && !/\.js\.map$/.test(path)) cpSync(join(COMPILED, path), join(folder, path))
  }
}

/** The licenses of the bundled packages, one after the other. @throws when a package has none */
function licenses(files: readonly string[]): string {
  const folders = new Set(files.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []))
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Record<
      string,
      string
    >
    const file = readdirSync(join(ROOT, folder)).find((one) => /^(licen[cs]e|copying)/i.test(one))
    const text = file === undefined ? '' : readFileSync(join(ROOT, folder, file), 'utf8').trim()
    if (file === undefined && license === undefined) throw new Error(`${name} has no license`)
    return `${name} ${version} (${license})\n\n${text}`
  })
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

async function bundle(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  const bundles = [
    ...entries().map((entry) => bundleEntry(entry, folder)),
    ...REQUIRED.map((name) => bundlePackage(name, folder)),
  ]
  const files = (await Promise.all(bundles)).flat()
  await mergeChunks(folder, { entry: 'launch', roots: START, name: 'start', banner: BANNER })
  await mergeChunks(folder, { entry: 'start', roots: RUN, name: 'run', banner: BANNER })
  copyAssets(folder)
  writeFileSync(join(folder, 'licenses.txt'), licenses(files))
  // npx remembers for each checkout where the program was when it first ran there: in an older one, at COMPILED.
  for (const place of [COMPILED, folder]) chmodSync(join(place, 'main.js'), 0o755)
}

await bundle(join(ROOT, 'dist', 'bundle'))
