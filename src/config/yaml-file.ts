/** Reads the layer of a YAML file: values by path, each with the line of its key. */
import { readFileSync } from 'node:fs'
import type { Document, LineCounter } from 'yaml'
import { descriptorError, fileErrorText } from '../errors.ts'
import { configKeys, configSections, isSection, keyAt } from './keys.ts'
import { type Layer, unknownKey } from './layers.ts'
import { yamlParser } from './yaml-parser.ts'

/**
 * Reads a file. A file that cannot be read or parsed is a problem of its layer.
 *
 * @throws InterceptorError when this process may not open another file
 */
export function fileLayer(path: string): Layer {
  const layer: Layer = { settings: new Map(), problems: [] }
  try {
    readYaml(path, readFileSync(path, 'utf8'), layer)
  } catch (error) {
    const limit = descriptorError(error)
    if (limit !== null) throw limit
    layer.problems.push(`cannot read the configuration file ${path}: ${fileErrorText(error)}`)
  }
  return layer
}

interface Source {
  yaml: ReturnType<typeof yamlParser>
  path: string
  document: Document
  lines: LineCounter
}

function readYaml(path: string, text: string, layer: Layer): void {
  const yaml = yamlParser()
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false })
  for (const error of document.errors) {
    layer.problems.push(`${path}:${lines.linePos(error.pos[0]).line}: ${error.message}`)
  }
  if (layer.problems.length === 0) readSection({ yaml, path, document, lines }, [], document.toJS(), layer)
}

/** @param names  the path of the section; empty: the whole file */
function readSection(source: Source, names: string[], value: unknown, layer: Layer): void {
  if (value === null || value === undefined) return
  if (typeof value !== 'object' || Array.isArray(value)) {
    const what = names.length === 0 ? 'the file' : names.join('.')
    layer.problems.push(`${what} (${place(source, names)}) must be a map of keys`)
    return
  }
  for (const [name, inner] of Object.entries(value)) readEntry(source, [...names, name], inner, layer)
}

const KNOWN_PATHS = [...configSections, ...configKeys].map(({ path }) => path)

function readEntry(source: Source, names: string[], value: unknown, layer: Layer): void {
  const path = names.join('.')
  const where = place(source, names)
  if (names.at(-1)?.includes('.')) {
    layer.problems.push(`${path} (${where}): write nested maps instead of dots`)
  } else if (isSection(path)) {
    readSection(source, names, value, layer)
  } else if (keyAt(path) === undefined) {
    layer.problems.push(unknownKey(path, where, KNOWN_PATHS))
  } else if (value !== null) {
    layer.settings.set(path, { value, origin: { kind: 'file', name: where } })
  }
}

/** `interceptor.yaml:12`: the line of a key, or of the file's first value for no names. */
function place({ yaml, path, document, lines }: Source, names: string[]): string {
  const parent = names.length < 2 ? document.contents : document.getIn(names.slice(0, -1), true)
  const pairs = yaml.isMap(parent) ? parent.items : []
  const key = pairs.map((pair) => pair.key).find((node) => yaml.isScalar(node) && String(node.value) === names.at(-1))
  const range = yaml.isScalar(key) ? key.range : document.contents?.range
  return range === null || range === undefined ? path : `${path}:${lines.linePos(range[0]).line}`
}
