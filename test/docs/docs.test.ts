/** What the documentation promises about the source: every counter is explained, every link leads somewhere. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'
import { ASSEMBLE_COUNTERS, CAPTURE_COUNTERS, SHIP_COUNTERS, TARGET_COUNTERS } from '../../src/ledger/counters.ts'

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const PAGES = ['.', 'docs', 'deploy', 'bench', 'test/fixtures'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
)

test('ledger: its page explains every counter, and none that is not there', () => {
  const counters = [CAPTURE_COUNTERS, TARGET_COUNTERS, ASSEMBLE_COUNTERS, SHIP_COUNTERS].flatMap(({ paths }) => paths)
  const rows = text('docs/ledger.md').match(/^\| `.*?\|/gm) ?? []
  const explained = rows.flatMap((row) => [...row.matchAll(/`([\w.]+)`/g)].map(([, path]) => path))
  assert.deepEqual(explained.sort(), [...new Set(counters)].sort())
})

for (const page of PAGES) {
  test(`links: those of ${page} lead somewhere`, () => {
    const targets = [...text(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target)
    const local = targets.filter((target) => !/^[a-z]+:/.test(target)).map((target) => target.split('#')[0])
    const paths = local.filter((path) => path !== '').map((path) => join(ROOT, dirname(page), path))
    assert.deepEqual(
      paths.filter((path) => !existsSync(path)).map((path) => relative(ROOT, path)),
      [],
    )
  })
}
