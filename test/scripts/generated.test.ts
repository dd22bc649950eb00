/** Generated files are current. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'
import { GENERATORS } from '../../scripts/generated.ts'

for (const { title, files, skip } of GENERATORS) {
  test(`generated: ${title}`, { skip: skip?.() ?? false }, () => {
    for (const [path, text] of files()) {
      assert.equal(readFileSync(join(ROOT, path), 'utf8'), text, `${path} is not current: run npm run generate`)
    }
  })
}
