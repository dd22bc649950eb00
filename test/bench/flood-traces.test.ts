/** The benchmarks' floods match their description: with enough room, all good pairs are found, and no others. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { FLOODS, writeFlood } from '../../bench/flood-traces.ts'
import { parsePass } from '../../bench/parse-pass.ts'

const CONNECTIONS = 40
const AFTER = 100

for (const flood of FLOODS) {
  test(`floods: finds every good pair beside few of the ${flood.name}`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'interceptor-floods-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'flood.pcap')
    const good = writeFlood(path, { ...flood, connections: CONNECTIONS, after: AFTER })
    assert.ok(good > AFTER)
    assert.equal(parsePass(readFileSync(path)).pairs, good)
  })
}
