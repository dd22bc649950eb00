import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fieldFault, fieldReader, USUAL_FIELDS } from '../../src/select/fields.ts'
import { samplePair } from '../pair/samples.ts'

test('fields: rejects unknown ones, and suggests the nearest known one', () => {
  for (const name of [...USUAL_FIELDS, 'request.json.user.id', 'request.headers.x-y', 'client.pod.labels.a/b']) {
    assert.equal(fieldFault(name), null, name)
  }
  assert.match(fieldFault('request.targt') ?? '', /did you mean request\.target\?/)
  assert.equal(fieldFault('qqqqqqqq'), 'There is no field qqqqqqqq.')
  for (const name of ['', 'request.jsonx.a', 'request.__proto__', 'constructor'])
    assert.notEqual(fieldFault(name), null)
})

test('fields: are converted to text', () => {
  const labels = { 'app.kubernetes.io/name': 'api' }
  const pod = { name: 'p', namespace: null, uid: 'u', workload: null, container: '', labels }
  const pair = samplePair({
    client: { address: '10.0.0.5', port: 1, pod },
    request: { body: Buffer.from('{"user":{"id":7},"list":[1,{"a":null}],"__proto__":{"x":1}}') },
  })
  const values = {
    time: '2026-11-23T03:58:07.123456Z',
    'client.pod.labels.app.kubernetes.io/name': 'api',
    'client.pod.namespace': '',
    'request.json.user.id': '7',
    'request.json.list': '[1,{"a":null}]',
    'request.json.list.1': '{"a":null}',
    'request.json.nobody.x': '',
    'request.json.toString': '',
    'request.headers.content-type': 'application/json',
    'response.status': '200',
    'client.port': '1',
    flags: '[]',
  }
  assert.deepEqual(fieldReader(Object.keys(values))(pair), Object.values(values))
})
