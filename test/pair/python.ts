/** Reads MessagePack with a library of another language. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'

const PROGRAM = `
import json, msgpack, sys
def plain(value):
    if isinstance(value, bytes): return {"bin": value.hex()}
    if isinstance(value, dict): return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list): return [plain(item) for item in value]
    if isinstance(value, (float, msgpack.ExtType, msgpack.Timestamp)): raise TypeError(f"{type(value)} in a pair")
    return value
for pair in msgpack.Unpacker(sys.stdin.buffer, raw=False): print(json.dumps(plain(pair)))
`

/** @returns the consecutive values in `bytes`, with binary values as `{bin: 'hex'}` */
export function readWithPython(bytes: Uint8Array): unknown[] {
  const run = spawnSync('python3', ['-c', PROGRAM], { input: bytes, maxBuffer: 256 * 1024 * 1024 })
  assert.equal(run.status, 0, String(run.stderr))
  const lines = run.stdout.toString().split('\n')
  return lines.filter((line) => line !== '').map((line): unknown => JSON.parse(line))
}

/** Converts a value of our own to the same form. */
export function asPythonReads(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bin: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(asPythonReads)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, asPythonReads(part)]))
}
