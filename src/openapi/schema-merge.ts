/**
 * Infers a JSON Schema from values: their types, formats, properties, and which properties all of them have. The result does
 * not depend on the order of the values, unless a bound is reached.
 */

/** Bounds of one schema. Beyond them a value is accepted and not described. */
const MOST_DEPTH = 16
const MOST_PROPERTIES = 200
const MOST_NODES = 5000

type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object'

/** Formats of JSON Schema. One is used where every text has it. */
const FORMATS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i],
  ['date', /^\d{4}-\d\d-\d\d$/],
  ['uuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i],
  ['email', /^[\w.+-]+@[\w-]+(\.[\w-]+)+$/],
  ['uri', /^[a-z][a-z\d+.-]*:\/\/[^\s"<>\\^`{|}]+$/i],
]

const formatOf = (text: string): string | null => FORMATS.find(([, pattern]) => pattern.test(text))?.[0] ?? null

/** How many nodes one schema has, of MOST_NODES. */
interface Budget {
  nodes: number
}

class Node {
  readonly #types = new Set<JsonType>()
  readonly #properties = new Map<string, Node>()
  /** Objects among the values, and all values. */
  #objects = 0
  #values = 0
  #items: Node | null = null
  /** undefined: no text yet; null: texts of no format, or of several. */
  #format: string | null | undefined
  #isOpen = false

  /** Values added so far. */
  get seen(): number {
    return this.#values
  }

  add(value: unknown, depth: number, budget: Budget): void {
    this.#values++
    const type = typeOf(value)
    this.#types.add(type)
    if (type === 'string') this.#addText(value as string)
    else if (type === 'array') this.#addItems(value as unknown[], depth, budget)
    else if (type === 'object') this.#addObject(value as Record<string, unknown>, depth, budget)
  }

  /** The JSON Schema, its keys in order. */
  toSchema(): object {
    const types = [...this.#types].filter((type) => type !== 'integer' || !this.#types.has('number')).sort()
    if (types.length === 0) return {}
    return {
      type: types.length === 1 ? types[0] : types,
      ...(this.#format ? { format: this.#format } : {}),
      ...(this.#types.has('array') ? { items: this.#items?.toSchema() ?? {} } : {}),
      ...(this.#types.has('object') ? this.#objectSchema() : {}),
    }
  }

  #objectSchema(): object {
    const names = [...this.#properties.keys()].sort()
    const required = names.filter((name) => this.#properties.get(name)?.seen === this.#objects)
    const schemaOf = (name: string): object => this.#properties.get(name)?.toSchema() ?? {}
    const properties = Object.fromEntries(
      names.filter((name) => name !== REFERENCE).map((name) => [name, schemaOf(name)]),
    )
    return {
      properties,
      ...(this.#properties.has(REFERENCE) ? { patternProperties: { '^\\$ref$': schemaOf(REFERENCE) } } : {}),
      ...(required.length > 0 ? { required } : {}),
      ...(this.#isOpen ? { additionalProperties: true } : {}),
    }
  }

  #addText(text: string): void {
    const format = formatOf(text)
    this.#format = this.#format === undefined || this.#format === format ? format : null
  }

  #addItems(values: readonly unknown[], depth: number, budget: Budget): void {
    if (values.length === 0 || depth >= MOST_DEPTH) return
    this.#items ??= newNode(budget)
    for (const value of values) this.#items?.add(value, depth + 1, budget)
  }

  #addObject(value: Record<string, unknown>, depth: number, budget: Budget): void {
    this.#objects++
    for (const [name, inner] of Object.entries(value)) {
      const known = this.#properties.get(name)
      const isFull = depth >= MOST_DEPTH || this.#properties.size >= MOST_PROPERTIES
      const property = known ?? (isFull ? null : newNode(budget))
      if (property === null) this.#isOpen = true
      else {
        this.#properties.set(name, property)
        property.add(inner, depth + 1, budget)
      }
    }
  }
}

/** Many tools follow a member of this name wherever it is, so no property has it: a pattern names the property instead. */
export const REFERENCE = '$ref'

function newNode(budget: Budget): Node | null {
  if (budget.nodes >= MOST_NODES) return null
  budget.nodes++
  return new Node()
}

function typeOf(value: unknown): JsonType {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as 'boolean' | 'string' | 'object'
}

/** The schema of all values of one body or parameter. */
export class MergedSchema {
  readonly #root = new Node()
  readonly #budget: Budget = { nodes: 0 }

  /** @param value as JSON.parse returns it */
  add(value: unknown): void {
    this.#root.add(value, 0, this.#budget)
  }

  toSchema(): object {
    return this.#root.toSchema()
  }
}
