import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { assemblerMemory } from '../../../src/assemble/assembler.ts'
import { fixmap, template } from '../../../src/assemble/encode/templates.ts'
import { CaptureExtras } from '../../../src/assemble/host/capture-extras.ts'
import { CAPTURE, NO_FLAGS } from '../../../src/assemble/host/parts.ts'
import { assemblerOptions } from '../../support/assemble-harness.ts'
import { propertyRuns } from '../../support/property-runs.ts'

const packr = new Packr({ useRecords: false, variableMapSize: true })
const memory = assemblerMemory(assemblerOptions({}))
const { bytes } = memory
const extras = new CaptureExtras(memory)
/** Where the parts are in the output region: the request, endpoints, and then the map, behind which there is room. */
const REQUEST = memory.output
const ENDPOINTS = REQUEST + 65_536
const MAP = ENDPOINTS + 1024
/** Bytes behind the flags that an earlier pair may have left. */
const FILLER = 0xa5
const ROOM = 8192

const endpoint = fc.record({ address: fc.ipV6(), port: fc.nat(65_535) }, { noNullPrototype: true })
const forwarding = fc.tuple(fc.constantFrom('Forwarded', 'x-forwarded-for', 'X-Envoy-Id'), fc.string({ maxLength: 40 }))
const plain = fc.tuple(fc.constantFrom('host', 'accept', 'x-forwarded'), fc.string({ maxLength: 40 }))
const request = fc.record({
  method: fc.constantFrom('GET', 'M'.repeat(31), 'M'.repeat(32)),
  target: fc.oneof(
    fc.constant('/'),
    fc.integer({ min: 30, max: 300 }).map((count) => '/'.padEnd(count, 'p')),
  ),
  headers: fc.array(fc.oneof(forwarding, plain), { maxLength: 12 }),
})
/** Keys that the map has already. */
const base = fc.uniqueArray(
  fc.string({ minLength: 1, maxLength: 10 }).map((name) => `k${name}`),
  { maxLength: 13 },
)

test('CaptureExtras: model: adds to any map what the request and a PROXY head name, and the flags behind it', () => {
  fc.assert(
    fc.property(
      base,
      fc.option(request),
      fc.option(fc.record({ source: endpoint, destination: endpoint }, { noNullPrototype: true })),
      (keys, asked, proxied) => {
        bytes.fill(FILLER, REQUEST, MAP + ROOM)
        const capture: Record<string, unknown> = Object.fromEntries(keys.map((key, i) => [key, i]))
        const entries = keys.map((key, i) => template(packr.pack(key), packr.pack(i)))
        const map = template(CAPTURE, fixmap(keys.length), ...entries, NO_FLAGS)
        bytes.set(map, MAP)
        let end = MAP + map.length
        if (asked !== null) {
          const { method, target, headers } = asked
          const rest = { body: null, bodyEncoding: 'bin', bodySize: 0, decoded: false, wireSize: 0 }
          bytes.set(packr.pack({ method, target, httpVersion: '1.1', headers, ...rest }), REQUEST)
          const named = headers.filter(([name]) => /^(forwarded$|x-forwarded-|x-envoy-)/i.test(name))
          if (named.length > 0) capture['forwarded'] = named
          end = extras.addForwarded(MAP, end, REQUEST)
        }
        if (proxied !== null) {
          const encoded = packr.pack(proxied)
          bytes.set(encoded, ENDPOINTS)
          capture['proxyProtocol'] = proxied
          end = extras.addProxied(MAP, end, ENDPOINTS, ENDPOINTS + encoded.length)
        }
        const written = template(fixmap(2), bytes.subarray(MAP, end))
        assert.deepEqual(packr.unpack(written), { capture, flags: [] })
        assert.deepEqual(bytes.subarray(end - NO_FLAGS.length, end), NO_FLAGS)
      },
    ),
    { numRuns: propertyRuns(1000) },
  )
})
