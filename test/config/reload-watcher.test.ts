import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigReloader } from '../../src/config/reload-watcher.ts'
import { usageError } from '../../src/errors.ts'
import { createLogger } from '../../src/log/logger.ts'

const POLL_MS = 20

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'interceptor-reload-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

/** A mounted ConfigMap as written by the kubelet: the file is a link through `..data`, which one rename replaces. */
class ConfigMapMount {
  readonly file: string
  readonly #root: string
  #version = 0

  constructor(root: string, text: string) {
    this.#root = root
    this.file = join(root, 'interceptor.yaml')
    this.update(text)
    symlinkSync('..data/interceptor.yaml', this.file)
  }

  update(text: string): void {
    const old = `..v${this.#version}`
    this.#version += 1
    const name = `..v${this.#version}`
    mkdirSync(join(this.#root, name))
    writeFileSync(join(this.#root, name, 'interceptor.yaml'), text)
    symlinkSync(name, join(this.#root, '..data_tmp'))
    renameSync(join(this.#root, '..data_tmp'), join(this.#root, '..data'))
    rmSync(join(this.#root, old), { recursive: true, force: true })
  }
}

interface Rig {
  reloader: ConfigReloader
  lines: { level: string; msg: string; [name: string]: unknown }[]
  applied: string[][]
}

/** A watcher in this process; `refuse` makes the next `apply` fail. */
function watch(t: TestContext, file: string, options: { refuse?: () => boolean } = {}): Rig {
  const lines: Rig['lines'] = []
  const applied: string[][] = []
  const load = async () => loadConfig({ file, env: {} })
  const reloader = new ConfigReloader({
    loaded: loadConfig({ file, env: {} }),
    file,
    load,
    apply: (config, changed) => {
      if (options.refuse?.() === true) throw usageError(`targets.selector: ${config.targets.selector} is no selector`)
      applied.push([...changed])
    },
    log: createLogger({ level: 'info', form: 'json', foldMs: 0, write: (line) => lines.push(JSON.parse(line)) }),
    pollMs: POLL_MS,
  })
  reloader.start()
  t.after(() => reloader.stop())
  return { reloader, lines, applied }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('ConfigReloader: applies a swapped ConfigMap', async (t) => {
  const mount = new ConfigMapMount(folder(t), 'filter: { paths: [/a] }\n')
  const { reloader, applied } = watch(t, mount.file)
  mount.update('filter: { paths: [/b] }\n')
  await until(() => reloader.state.applied === 1)
  assert.deepEqual(reloader.current.config.filter.paths, ['/b'])
  mount.update('filter: { paths: [/b] }\nlog: { level: warn }\n')
  await until(() => reloader.state.applied === 2)
  assert.deepEqual(applied, [['filter.paths'], ['log.level']])
})

test('ConfigReloader: applies a file written in place and one renamed over it', async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, 'filter: { paths: [/a] }\n')
  const { reloader } = watch(t, file)
  writeFileSync(file, 'filter: { paths: [/bb] }\n')
  await until(() => reloader.state.applied === 1)
  writeFileSync(`${file}.new`, 'filter: { paths: [/cc] }\n')
  renameSync(`${file}.new`, file)
  await until(() => reloader.state.applied === 2)
  assert.deepEqual(reloader.current.config.filter.paths, ['/cc'])
})

test('ConfigReloader: reports an invalid and a missing file and keeps the configuration', async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, 'filter: { paths: [/a] }\n')
  const { reloader, lines, applied } = watch(t, file)
  writeFileSync(file, 'filter: { pathes: [/b] }\n')
  await until(() => reloader.state.refused === 1)
  assert.equal(reloader.state.lastSuccessful, false)
  unlinkSync(file)
  await until(() => reloader.state.refused === 2)
  assert.deepEqual([reloader.current.config.filter.paths, applied], [['/a'], []])
  const errors = lines.map(({ level, error }) => [level, String(error).split('\n')[0].replace(file, 'FILE')])
  assert.deepEqual(errors[0], [
    'error',
    'configuration: unknown key filter.pathes (FILE:1): did you mean filter.paths?',
  ])
  assert.match(String(errors[1][1]), /cannot read the configuration file FILE: no such file or directory/)
  assert.equal(errors.length, 2)
  writeFileSync(file, 'filter: { paths: [/c] }\n')
  await until(() => reloader.state.applied === 1)
  assert.equal(reloader.state.lastSuccessful, true)
})

test('ConfigReloader: refuses a named pipe, which nobody may ever write to, and reads the file that replaces it', {
  skip: process.platform === 'win32',
}, async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, 'log: { level: info }')
  const { lines, applied } = watch(t, file)
  unlinkSync(file)
  execFileSync('mkfifo', [file])
  await until(() => lines.length > 0)
  assert.match(String(lines[0].error), /interceptor\.yaml is a pipe/)
  unlinkSync(file)
  writeFileSync(file, 'log: { level: debug }')
  await until(() => applied.length > 0)
  assert.deepEqual(applied, [['log.level']])
})

test('ConfigReloader: names keys that need a restart once and keeps their values', async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, 'kafka: { topic: one }\n')
  const { reloader, lines } = watch(t, file)
  writeFileSync(file, 'kafka: { topic: two }\nfilter: { paths: [/x] }\n')
  await until(() => reloader.state.applied === 1)
  await reloader.reload()
  assert.deepEqual(reloader.state.needRestart, ['kafka.topic'])
  assert.equal(reloader.current.config.kafka.topic, 'one')
  const warnings = lines.filter(({ level }) => level === 'warn')
  assert.deepEqual(
    warnings.map(({ msg, keys }) => [msg, keys]),
    [['these keys take effect after a restart; their old values stay in effect', 'kafka.topic']],
  )
  writeFileSync(file, 'kafka: { topic: one }\n')
  await until(() => reloader.state.applied === 2)
  assert.deepEqual(reloader.state.needRestart, [])
})

test('ConfigReloader: rejects what cannot be applied and retries the same file on SIGHUP', async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, '')
  let refuses = true
  const { reloader, lines } = watch(t, file, { refuse: () => refuses })
  writeFileSync(file, 'targets: { selector: "app=shop" }\n')
  await until(() => reloader.state.refused === 1)
  assert.equal(reloader.current.config.targets.selector, '')
  assert.match(String(lines[0].error), /targets\.selector: app=shop is no selector/)
  refuses = false
  process.kill(process.pid, 'SIGHUP')
  await until(() => reloader.state.applied === 1)
  assert.equal(reloader.current.config.targets.selector, 'app=shop')
})

test('ConfigReloader: runs concurrent reloads one after the other and ends with the last state', async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, '')
  const { reloader } = watch(t, file)
  const all: Promise<void>[] = []
  for (let i = 0; i < 10; i++) {
    writeFileSync(file, `filter: { paths: [/${i}] }\n`)
    all.push(reloader.reload())
  }
  await Promise.all(all)
  assert.deepEqual(reloader.current.config.filter.paths, ['/9'])
  assert.equal(reloader.state.refused, 0)
})

const PROGRAM = fileURLToPath(new URL('./reload-program.js', import.meta.url))

/** @param pollMs  a large value leaves SIGHUP only */
async function startProgram(t: TestContext, file: string, pollMs: number) {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, file, String(pollMs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const messages = (): string[] =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).msg)
  await until(() => messages().includes('started'))
  return { child, messages, logged: (message: string) => until(() => messages().includes(message)) }
}

test('ConfigReloader: reloads on SIGHUP, which changes the log level and does not end the process', async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, 'log: { level: error }\n')
  const { child, messages, logged } = await startProgram(t, file, 3_600_000)
  writeFileSync(file, 'log: { level: info }\n')
  child.kill('SIGHUP')
  await logged('configuration reloaded')
  writeFileSync(file, 'log: { level: loud }\n')
  child.kill('SIGHUP')
  await logged('configuration not reloaded; the previous one stays in effect')
  assert.deepEqual(messages().slice(0, 2), ['started', 'configuration reloaded'])
  assert.equal(child.exitCode, null)
  child.stdin?.end()
  const [code] = await once(child, 'exit')
  assert.equal(code, 0, 'neither the timer nor the signal handler keeps a process alive')
})

test('ConfigReloader: does not apply a load that is in progress when it stops', async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, '')
  const { reloader, applied } = watch(t, file)
  writeFileSync(file, 'filter: { paths: [/late] }\n')
  const reading = reloader.reload()
  reloader.stop()
  await reading
  assert.deepEqual([applied, reloader.state.applied], [[], 0])
})

test('ConfigReloader: restores the default effect of SIGHUP on stop', async (t) => {
  const file = join(folder(t), 'interceptor.yaml')
  writeFileSync(file, 'log: { level: error }\n')
  const { reloader } = watch(t, file)
  const before = process.listenerCount('SIGHUP')
  reloader.stop()
  assert.equal(process.listenerCount('SIGHUP'), before - 1)
})
