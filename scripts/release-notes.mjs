// Prints one version's section of CHANGELOG.md, without its heading; `--check` also requires package.json, the lockfile and
// the chart to have that version. Exit code 1 and one line on standard error when anything does not match.
//
//     node scripts/release-notes.mjs [--check] VERSION
import { readFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const read = (path) => readFileSync(new URL(path, root), 'utf8')

/** The text between `## VERSION` and the next heading of that level; null without one. */
export function section(changelog, version) {
  const parts = changelog.split(/^## /m).slice(1)
  const found = parts.find((part) => part.split('\n', 1)[0].split(/[\s-]/, 1)[0] === version)
  return found === undefined ? null : found.slice(found.indexOf('\n') + 1).trim()
}

/** Every place whose version is not `version`, as `PLACE has OTHER`. */
function mismatches(version) {
  const chart = read('deploy/helm/interceptor/Chart.yaml')
  const versions = {
    'package.json': JSON.parse(read('package.json')).version,
    'package-lock.json': JSON.parse(read('package-lock.json')).version,
    'Chart.yaml version': /^version: (\S+)$/m.exec(chart)?.[1],
    'Chart.yaml appVersion': /^appVersion: (\S+)$/m.exec(chart)?.[1],
  }
  return Object.entries(versions).flatMap(([place, found]) => (found === version ? [] : [`${place} has ${found}`]))
}

function main(args) {
  const check = args[0] === '--check'
  const version = check ? args[1] : args[0]
  if (version === undefined) return 'usage: release-notes.mjs [--check] VERSION'
  const notes = section(read('CHANGELOG.md'), version)
  if (notes === null || notes === '') return `CHANGELOG.md has no section for ${version}`
  const wrong = check ? mismatches(version) : []
  if (wrong.length > 0) return `the version to release is ${version}, but ${wrong.join(', ')}`
  console.log(notes)
  return null
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const problem = main(process.argv.slice(2))
  if (problem !== null) {
    console.error(problem)
    process.exitCode = 1
  }
}
