/**
 * Replaces positions in compiled files by those in their sources. Tests run without --enable-source-maps, with which
 * every thread would read a map for each of its modules; only failures are translated.
 */
import { existsSync, readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { dirname, relative, resolve } from 'node:path'

/** `file:///checkout/dist/x.js:12:34`, with or without the scheme. */
const POSITION = /(?:file:\/\/)?(\/[^\s():]+\.js):(\d+):(\d+)/g

/**
 * Replaces positions in files with a source map next to them.
 *
 * @param root folder from which sources are named
 */
export function toSourcePositions(text: string, root: string): string {
  const maps = new Map<string, SourceMap | null>()
  return text.replace(POSITION, (position, file: string, line: string, column: string) => {
    if (!maps.has(file)) maps.set(file, mapOf(file))
    const entry = maps.get(file)?.findEntry(Number(line) - 1, Number(column) - 1)
    if (entry === undefined || !('originalSource' in entry)) return position
    const source = relative(root, resolve(dirname(file), entry.originalSource))
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  })
}

function mapOf(file: string): SourceMap | null {
  const path = `${file}.map`
  if (!existsSync(path)) return null
  return new SourceMap(JSON.parse(readFileSync(path, 'utf8')) as SourceMapPayload)
}
