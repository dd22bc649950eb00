import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'

test('namespaces: those of killed processes are deleted, and no others', { skip: needs('root', 'ip') }, (t) => {
  const { pid: ended } = spawnSync('true')
  const left = [`abandoned-${ended}-1`, `abandoned-${ended}-2`]
  const others = [`abandoned-${process.ppid}-1`, `abandoned-${ended}`, `others-${ended}-1`]
  for (const name of [...left, ...others]) execFileSync('ip', ['netns', 'add', name])
  t.after(() => {
    for (const name of others) execFileSync('ip', ['netns', 'delete', name])
  })
  const own = Namespace.create('abandoned')
  t.after(() => own.delete())
  const names = new Set(readdirSync('/run/netns'))
  assert.deepEqual(
    [...left, ...others, own.name].filter((name) => names.has(name)),
    [...others, own.name],
  )
})
