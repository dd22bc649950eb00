/**
 * A pipeline to which targets are added and from which they are removed, with its pairs in a file, and network
 * namespaces as pods. Needs root and iproute2.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { temporaryFolder } from '../../rig/at-exit.ts'
import { Namespace } from '../../rig/netns.ts'
import { defaultConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { count } from '../../src/ledger/ledger.ts'
import { createLogger } from '../../src/log/logger.ts'
import type { Outcome, PipelineOptions, TargetPipeline } from '../../src/supervisor/options.ts'
import { startPipeline } from '../../src/supervisor/pipeline.ts'
import type { CaptureTarget } from '../../src/target/capture-target.ts'
import { assertLaws } from './ledger.ts'

const MIB = 1024 * 1024
/** Longer than any step takes, even if other work uses both cores. */
const WAIT_MS = 60_000

export interface RigOptions {
  config?: (config: Config) => Config
  all?: boolean
}

/** A target as described by discovery, with the device's name in its pairs. */
export function targetOf(
  namespace: Pick<Namespace, 'path'>,
  device = 'lo',
  parts: Partial<CaptureTarget> = {},
): CaptureTarget {
  const inode = statSync(namespace.path).ino
  return {
    key: `${inode}/${device}`,
    device,
    netns: { path: namespace.path, inode },
    info: { name: device, vantage: 'server', mesh: null, vantagePoint: null },
    excludePorts: [],
    tunnels: false,
    onlyAddresses: null,
    onlyPorts: null,
    labels: {},
    ...parts,
  }
}

/** The same target with another name. */
export const named = (name: string, target: CaptureTarget): CaptureTarget => ({
  ...target,
  info: { ...target.info, name },
})

/** Namespaces that are deleted after the test, with `lo` up. */
export function namespaces(t: TestContext, howMany: number): Namespace[] {
  const all = Array.from({ length: howMany }, () => Namespace.create())
  t.after(() => {
    for (const namespace of all) namespace.delete()
  })
  return all
}

/** Descriptors of this process. */
export const descriptors = (): number => readdirSync('/proc/self/fd').length

/** The resources that this process uses. */
export interface Usage {
  rssMiB: number
  descriptors: number
}

export const usage = (): Usage => ({ rssMiB: Math.round(process.memoryUsage.rss() / MIB), descriptors: descriptors() })

/** Packet rings mapped into this process. */
export const rings = (): number => (readFileSync('/proc/self/maps', 'latin1').match(/socket:\[/g) ?? []).length

/** Total size of these rings. */
export function ringBytes(): number {
  const mappings = readFileSync('/proc/self/maps', 'latin1').matchAll(/^([0-9a-f]+)-([0-9a-f]+) .*socket:\[/gm)
  return [...mappings].reduce((sum, [, from, to]) => sum + Number.parseInt(to, 16) - Number.parseInt(from, 16), 0)
}

export class TargetRig {
  readonly pipeline: TargetPipeline
  readonly lines: string[] = []
  readonly #file: string

  constructor(t: TestContext, { config = (same) => same, all = true }: RigOptions = {}) {
    const folder = temporaryFolder('targets-')
    this.#file = join(folder, 'pairs')
    const defaults = defaultConfig()
    const capture = { ...defaults.capture, ringBytes: MIB, maxWorkers: 2, warmUp: false }
    const options: PipelineOptions = {
      config: config({
        ...defaults,
        capture,
        assemble: { ...defaults.assemble, workers: 1 },
        ship: { ...defaults.ship, sink: 'file' },
      }),
      input: { kind: 'targets' },
      output: { format: 'ndjson', file: this.#file, decode: false, color: false, width: null, verbose: false },
      limit: null,
      all,
      log: createLogger({ level: 'info', form: 'json', foldMs: 0, write: (line) => this.lines.push(line) }),
      onProgress: null,
    }
    this.pipeline = startPipeline(options)
    t.after(async () => {
      this.pipeline.stop()
      await this.pipeline.done
      rmSync(folder, { recursive: true })
    })
  }

  count(path: string): number {
    return count(this.pipeline.ledger, path)
  }

  async add(target: CaptureTarget): Promise<void> {
    assert.equal(await this.pipeline.add(target), 'captured')
  }

  async until(what: () => boolean, why = 'waited in vain'): Promise<void> {
    for (const end = performance.now() + WAIT_MS; !what(); ) {
      assert.ok(performance.now() < end, `${why}: ${JSON.stringify(this.pipeline.ledger)}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Drains; the ledger has to balance. */
  async end(): Promise<Outcome> {
    this.pipeline.drain()
    const outcome = await this.pipeline.done
    assertLaws(outcome.ledger)
    assert.equal(outcome.exitCode, 0, outcome.failure?.message)
    return outcome
  }

  /** Names of the interfaces that the pairs written so far came from, with how many of each. */
  pairs(): Record<string, number> {
    const found: Record<string, number> = {}
    for (const line of readFileSync(this.#file, 'utf8').split('\n').slice(0, -1)) {
      const { interface: name } = JSON.parse(line).capture
      found[name] = (found[name] ?? 0) + 1
    }
    return found
  }
}
