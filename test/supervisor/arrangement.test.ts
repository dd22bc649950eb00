import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { createLogger } from '../../src/log/logger.ts'
import { type Arrangement, arrange } from '../../src/supervisor/arrangement.ts'
import type { PipelineOptions } from '../../src/supervisor/options.ts'
import { planRun } from '../../src/supervisor/plan.ts'

const folder = mkdtempSync(join(tmpdir(), 'arrangement-'))
after(() => rmSync(folder, { recursive: true }))

const MIB = 1024 * 1024

/** How a file of so many bytes is read whose pairs are written to another one. */
function arrangementOf(bytes: number, bufferBytes: number, zipped = false): Arrangement {
  const path = join(folder, 'input')
  writeFileSync(path, Uint8Array.of(zipped ? 0x1f : 0, zipped ? 0x8b : 0))
  truncateSync(path, bytes)
  const config = defaultConfig()
  const options: PipelineOptions = {
    config: { ...config, ship: { ...config.ship, sink: 'file', bufferBytes } },
    input: { kind: 'files', paths: [path], follow: false },
    output: {
      format: 'ndjson',
      file: join(folder, 'output'),
      decode: false,
      color: false,
      width: null,
      verbose: false,
    },
    limit: null,
    all: true,
    log: createLogger({ level: 'silent', form: 'lines' }),
    onProgress: null,
  }
  return arrange(options, planRun(options, 1))
}

test('arrange: the main thread reads small files, unless their pairs might not fit beside a reader that stands still', () => {
  assert.equal(arrangementOf(MIB, 64 * MIB), 'brief')
  assert.equal(arrangementOf(MIB + 1, 64 * MIB), 'read')
  // A megabyte of pipelined exchanges has been 13 of pairs.
  assert.equal(arrangementOf(MIB, 8 * MIB), 'read')
  assert.equal(arrangementOf(MIB / 4, 8 * MIB), 'brief')
  assert.equal(arrangementOf(26_000, 64 * MIB, true), 'brief')
  assert.equal(arrangementOf(26_000, 8 * MIB, true), 'read')
})
