/**
 * OpenAPI documents of recorded traffic: valid for every capture, and in agreement with the document that a service
 * publishes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { captureFile, EXAMPLE, goldenNames } from '../support/golden.ts'
import { run } from './support.ts'

interface Operation {
  parameters?: { name: string; in: string; schema: { type?: string; format?: string } }[]
  responses: Record<string, { content?: Record<string, { schema: { required?: string[]; properties?: object } }> }>
}

interface Document {
  paths: Record<string, Record<string, Operation>>
}

async function documentOf(files: readonly string[]): Promise<Document> {
  const { code, stdout, stderr } = await run(['openapi', '-q', ...files])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Document
}

test('openapi: a validator accepts the document of all captures', async () => {
  const files = [EXAMPLE, ...goldenNames().map(captureFile)]
  const document = await documentOf(files)
  const { valid, errors } = await new Validator().validate(
    structuredClone(document) as unknown as Record<string, unknown>,
  )
  assert.ok(valid, JSON.stringify(errors))
  assert.ok(Object.keys(document.paths).length > 50)
})

/** Paths without parameter names, which are different in a published document. */
const shapeOf = (path: string): string => path.replaceAll(/\{[^}]*\}/g, '{}')

/** `get /orders/{}` and the kinds of its path parameters. */
function operationsOf({ paths }: Document): Map<string, Operation> {
  return new Map(
    Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => [`${method} ${shapeOf(path)}`, operation] as const),
    ),
  )
}

const parameters = ({ parameters: all = [] }: Operation, where: string) => all.filter((one) => one.in === where)

test('openapi: the routes, parameters and statuses of a FastAPI service are those that it publishes', async () => {
  const capture = captureFile('published')
  const published = JSON.parse(
    (await run(['read', '-o', 'ndjson', '-q', '--path', '/openapi.json', capture])).stdout,
  ) as {
    response: { body: string }
  }
  const wanted = operationsOf(JSON.parse(published.response.body) as Document)
  const found = operationsOf(await documentOf([capture]))
  found.delete('get /openapi.json')
  assert.deepEqual([...found.keys()].sort(), [...wanted.keys()].sort())
  for (const [name, operation] of found) {
    const expected = wanted.get(name) as Operation
    const kinds = (one: Operation) => parameters(one, 'path').map(({ schema: { type } }) => type)
    assert.deepEqual(kinds(operation), kinds(expected), name)
    const names = new Set(parameters(expected, 'query').map((one) => one.name))
    for (const { name: query } of parameters(operation, 'query')) assert.ok(names.has(query), `${name} ${query}`)
    // FastAPI's document omits responses from HTTPException.
    const statuses = Object.keys(operation.responses).filter((status) => status !== '404')
    for (const status of statuses) assert.ok(status in expected.responses, `${name} ${status}`)
  }
})
