/** The page's files, built by `npm run build` and read once at start-up. They contain no traffic. */
import { readFileSync } from 'node:fs'
import { runtimeError } from '../errors.ts'

/** A file and its media type. */
export interface Asset {
  readonly type: string
  readonly body: Buffer
}

const FILES: readonly (readonly [path: string, name: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/licenses.txt', 'licenses.txt', 'text/plain; charset=utf-8'],
]

/** @returns the files by their path @throws InterceptorError when they have not been built */
export function readAssets(): ReadonlyMap<string, Asset> {
  try {
    return new Map(
      FILES.map(([path, name, type]) => [path, { type, body: readFileSync(new URL(`page/${name}`, import.meta.url)) }]),
    )
  } catch (error) {
    throw runtimeError('the files of the page are missing', { cause: error, hint: 'Run npm run build.' })
  }
}
