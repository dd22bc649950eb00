import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BadResponseError } from '../../src/kafka/errors.ts'
import { decodeProduceResponse } from '../../src/kafka/produce-response.ts'

const i16 = (value: number): Buffer => Buffer.from(Int16Array.of(value).buffer).swap16()
const i32 = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer).swap32()

const partition = (number: number, code: number): Buffer =>
  Buffer.concat([i32(number), i16(code), Buffer.alloc(24, 255)])

/** A response with one topic. */
function response(codes: readonly (readonly [partition: number, code: number])[], throttleMs = 0, name = 't'): Buffer {
  const topic = [i16(Buffer.byteLength(name)), Buffer.from(name), i32(codes.length)]
  return Buffer.concat([i32(1), ...topic, ...codes.map(([number, code]) => partition(number, code)), i32(throttleMs)])
}

test('produce response: has each partition’s code and the throttle time', () => {
  const codes = [
    [0, 0],
    [7, 6],
    [299, 10],
    [3, -1],
  ] as const
  assert.deepEqual(decodeProduceResponse(response(codes, 250, 'größe')), {
    partitions: codes.map(([number, errorCode]) => ({ partition: number, errorCode })),
    throttleMs: 250,
  })
  assert.deepEqual(decodeProduceResponse(Buffer.alloc(8)), { partitions: [], throttleMs: 0 })
})

test('produce response: is refused when it is cut at any byte', () => {
  const whole = response([
    [0, 0],
    [1, 6],
  ])
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => decodeProduceResponse(whole.subarray(0, length)), BadResponseError, `${length} bytes`)
  }
})

test('produce response: bytes behind it are ignored', () => {
  const whole = response([[4, 0]], 30)
  const longer = Buffer.concat([whole, Buffer.alloc(1), i32(7)])
  assert.deepEqual(decodeProduceResponse(longer), decodeProduceResponse(whole))
})

test('produce response: counts and lengths that are negative or huge are refused at once', () => {
  const whole = response([[0, 0]])
  for (const [at, value] of [
    [0, i32(-1)],
    [0, i32(2 ** 31 - 1)],
    [4, i16(-1)],
    [4, i16(32_767)],
    [7, i32(-1)],
    [7, i32(2 ** 31 - 1)],
  ] as const) {
    const damaged = Buffer.from(whole)
    value.copy(damaged, at)
    assert.throws(() => decodeProduceResponse(damaged), BadResponseError, `${value.toString('hex')} at ${at}`)
  }
})

test('produce response: any bytes are decoded, or refused as a bad response', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        const { partitions } = decodeProduceResponse(Buffer.from(bytes))
        assert.ok(partitions.length * 30 <= bytes.length)
      } catch (error) {
        assert.ok(error instanceof BadResponseError)
      }
    }),
  )
})
