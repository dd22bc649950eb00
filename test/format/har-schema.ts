/**
 * JSON Schema of HTTP Archive 1.2, written from the specification (http://www.softwareishard.com/blog/har-12-spec/).
 * Fields that it does not call optional are required; fields that it does not define must begin with an underscore.
 */
const text = { type: 'string' }
const count = { type: 'integer', minimum: -1 }
const time = { type: 'number', minimum: -1 }
const date = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$' }

function object(required: Record<string, object>, optional: Record<string, object> = {}): object {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional, comment: text },
    patternProperties: { '^_': {} },
    additionalProperties: false,
  }
}

const list = (items: object): object => ({ type: 'array', items })

const nameValue = object({ name: text, value: text })

const cookie = object(
  { name: text, value: text },
  { path: text, domain: text, expires: date, httpOnly: { type: 'boolean' }, secure: { type: 'boolean' } },
)

const message = {
  httpVersion: text,
  cookies: list(cookie),
  headers: list(nameValue),
  headersSize: count,
  bodySize: count,
}

const postData = object({
  mimeType: text,
  params: list(object({ name: text }, { value: text, fileName: text, contentType: text })),
  text,
})

const request = object(
  { ...message, method: text, url: { type: 'string', pattern: '^[a-zA-Z][\\w.+-]*:' }, queryString: list(nameValue) },
  { postData },
)

const response = object({
  ...message,
  status: { type: 'integer' },
  statusText: text,
  content: object({ size: count, mimeType: text }, { compression: { type: 'integer' }, text, encoding: text }),
  redirectURL: text,
})

const timings = object(
  { send: { ...time, minimum: 0 }, wait: { ...time, minimum: 0 }, receive: { ...time, minimum: 0 } },
  { blocked: time, dns: time, connect: time, ssl: time },
)

const entry = object(
  { startedDateTime: date, time: { ...time, minimum: 0 }, request, response, cache: object({}), timings },
  { pageref: text, serverIPAddress: text, connection: text },
)

export const HAR_SCHEMA = object({
  log: object(
    { version: { const: '1.2' }, creator: object({ name: text, version: text }), entries: list(entry) },
    { browser: object({ name: text, version: text }), pages: list({}) },
  ),
})
