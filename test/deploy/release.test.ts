import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { needs } from '../../rig/needs.ts'
import { ROOT } from '../../rig/root.ts'

const WORKFLOWS = join(ROOT, '.github', 'workflows')
const ACTIONLINT = 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.7'
const workflows = readdirSync(WORKFLOWS).map((name) => join(WORKFLOWS, name))
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

const notes = (...args: string[]): { code: number | null; stdout: string; stderr: string } => {
  const run = spawnSync(process.execPath, [join(ROOT, 'scripts', 'release-notes.mjs'), ...args], { encoding: 'utf8' })
  return { code: run.status, stdout: run.stdout, stderr: run.stderr }
}

test('release notes: package, lockfile, chart and changelog have the same version', () => {
  const { code, stdout, stderr } = notes('--check', version)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^### /m)
  assert.doesNotMatch(stdout, /^## /m)
})

test('release notes: a version that is not in the changelog is an error', () => {
  assert.deepEqual(notes('9.9.9'), { code: 1, stdout: '', stderr: 'CHANGELOG.md has no section for 9.9.9\n' })
})

interface Workflow {
  jobs: Record<string, { container?: { image: string }; steps: { uses?: string; run?: string }[] }>
}

const jobs = workflows.flatMap((path) => Object.values((parse(readFileSync(path, 'utf8')) as Workflow).jobs))
const steps = jobs.flatMap((job) => job.steps)

test('workflows: every action is pinned by commit', () => {
  const uses = steps.flatMap((step) => step.uses ?? [])
  assert.ok(uses.length > 5)
  for (const action of uses) assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/)
})

test('workflows: every container is pinned by digest', () => {
  const images = jobs.flatMap(({ container }) => container?.image ?? [])
  assert.ok(images.length > 0)
  for (const image of images) assert.match(image, /^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/)
})

test('workflows: CI runs .ci/run', () => {
  assert.ok(steps.some(({ run }) => run === 'bash .ci/run'))
})

test('workflows: actionlint accepts them', { skip: needs('go') }, () => {
  const run = spawnSync('go', ['run', ACTIONLINT, '-color=false', ...workflows], { cwd: '/', encoding: 'utf8' })
  assert.equal(run.status, 0, run.stdout + run.stderr)
})

test('Dockerfile: every stage derives from one image, which is pinned by digest', () => {
  const text = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8')
  assert.match(text, /^ARG NODE_IMAGE=[\w.:-]+@sha256:[0-9a-f]{64}$/m)
  const stages = [...text.matchAll(/^FROM (?:--platform=\S+ )?(\S+)/gm)].map(([, image]) => image)
  assert.deepEqual([...new Set(stages)], ['$NODE_IMAGE', 'scratch'])
})
