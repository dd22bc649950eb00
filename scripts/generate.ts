/**
 * Writes everything that is generated: `npm run generate`. With `--check` it writes nothing and ends with 1 when a file is
 * not current.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from '../rig/root.ts'
import { GENERATORS } from './generated.ts'

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

const isCheck = process.argv.includes('--check')

for (const { title, files, skip } of GENERATORS) {
  const reason = skip?.() ?? false
  if (reason !== false) {
    console.error(`not generated: ${title}: it ${reason}`)
    process.exitCode = 1
    continue
  }
  for (const [path, text] of files()) {
    const target = join(ROOT, path)
    if (existsSync(target) && readFileSync(target, 'utf8') === text) continue
    console.log(isCheck ? `not current: ${path}` : `written: ${path}`)
    if (isCheck) process.exitCode = 1
    else {
      write(target, text)
      // Later generators run the program.
      if (path.startsWith('src/')) execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
    }
  }
}
