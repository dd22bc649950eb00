/** Generated files are current. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../rig/root.ts'
import { GENERATORS } from '../../scripts/generated.ts'

/** The first line that differs from the expected file. */
function firstDifference(path: string, wanted: string): string | null {
  const [lines, wantedLines] = [readFileSync(join(ROOT, path), 'utf8'), wanted].map((text) => text.split('\n'))
  const at = wantedLines.findIndex((line, index) => line !== lines[index])
  if (at === -1 && lines.length === wantedLines.length) return null
  const line = at === -1 ? wantedLines.length : at
  return `${path}:${line + 1}: is\n${lines[line]}\nand should be\n${wantedLines[line]}`
}

for (const { title, files, skip } of GENERATORS) {
  test(`generated: ${title}`, { skip: skip?.() ?? false }, () => {
    for (const [path, text] of files()) {
      assert.equal(firstDifference(path, text), null, 'not current: run npm run generate')
    }
  })
}
