/**
 * TypeScript declarations of a pair for consumers (types/index.d.ts), from schema/pair.schema.json: what that file uses of
 * JSON Schema, and nothing else.
 */

/** A schema, as far as it is used. */
interface Node {
  description?: string
  type?: string | string[]
  $ref?: string
  const?: unknown
  enum?: unknown[]
  oneOf?: Node[]
  items?: Node
  minItems?: number
  maxItems?: number
  required?: string[]
  properties?: Record<string, Node>
  additionalProperties?: Node
  $defs?: Record<string, Node>
}

const INDENT = '  '
/** Definitions that are TypeScript's own types. */
const PRIMITIVES: Readonly<Record<string, string>> = { micros: 'number', bytes: 'Uint8Array' }
/** Depend on the form of the pair, which is a parameter of the types. */
const FORM_KEYS = new Set(['body', 'bodyEncoding'])
const TYPES: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
}

/** @throws Error at a part of JSON Schema that it does not know */
export function pairTypes(schema: Node): string {
  const definitions = Object.entries(schema.$defs ?? {}).filter(([name]) => !Object.hasOwn(PRIMITIVES, name))
  return `// Generated from schema/pair.schema.json by \`npm run generate\`.

/** A body in the JSON form. */
export interface JsonBody {
  body: string
  /** utf8 where the body is valid UTF-8, else base64. */
  bodyEncoding: 'utf8' | 'base64'
}

/** A body in the MessagePack form. */
export interface PackedBody {
  body: Uint8Array
  bodyEncoding: 'bin'
}

/** A pair as JSON: \`-o ndjson\`, and values with \`ship.format: json\`. */
export type JsonPair = Pair<JsonBody>

/** A pair as MessagePack: \`-o msgpack\`, and values by default. */
export type PackedPair = Pair<PackedBody>

${comment(schema, '')}export interface Pair<Body extends JsonBody | PackedBody = JsonBody | PackedBody> ${fields(schema, '')}
${definitions.map(([name, node]) => definition(name, node)).join('')}`
}

function definition(name: string, node: Node): string {
  const head = `\n${comment(node, '')}export `
  return node.type === 'object' && node.properties !== undefined
    ? `${head}interface ${typeName(name)} ${fields(node, '')}\n`
    : `${head}type ${typeName(name)} = ${typeOf(node, '')}\n`
}

function typeOf(node: Node, indent: string): string {
  const { $ref, type, oneOf, items } = node
  if ($ref !== undefined) {
    const name = $ref.replace('#/$defs/', '')
    const referred = PRIMITIVES[name] ?? typeName(name)
    return node.properties === undefined ? referred : `${referred} & Body & ${fields(node, indent)}`
  }
  if (node.const !== undefined) return literal(node.const)
  if (node.enum !== undefined) return node.enum.map(literal).join(' | ')
  if (oneOf !== undefined) return oneOf.map((option) => typeOf(option, indent)).join(' | ')
  if (Array.isArray(type)) return type.map((one) => typeOf({ type: one }, indent)).join(' | ')
  if (type === 'array' && items !== undefined) {
    const item = typeOf(items, indent)
    if (node.minItems === node.maxItems && node.minItems !== undefined) {
      return `[${Array(node.minItems).fill(item).join(', ')}]`
    }
    return `${item}[]`
  }
  if (type === 'object') {
    const { additionalProperties } = node
    if (additionalProperties !== undefined) return `Record<string, ${typeOf(additionalProperties, indent)}>`
    return fields(node, indent)
  }
  const known = type === undefined ? undefined : TYPES[type]
  if (known === undefined) throw new Error(`no TypeScript for ${JSON.stringify(node)}`)
  return known
}

function fields({ properties = {}, required = [] }: Node, indent: string): string {
  const inner = indent + INDENT
  const lines = Object.entries(properties)
    .filter(([name]) => !FORM_KEYS.has(name))
    .map(([name, node]) => {
      const optional = required.includes(name) ? '' : '?'
      return `${comment(node, inner)}${inner}${name}${optional}: ${typeOf(node, inner)}\n`
    })
  return `{\n${lines.join('')}${indent}}`
}

const comment = ({ description }: Node, indent: string): string =>
  description === undefined ? '' : `${indent}/** ${description} */\n`

const typeName = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1)

const literal = (value: unknown): string => (typeof value === 'string' ? `'${value}'` : JSON.stringify(value))
