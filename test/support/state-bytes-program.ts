/**
 * Prints how many bytes of V8's heap and of buffers each connection needs whose client has sent the requests and whose
 * server the responses that the arguments count: `state-bytes-program.js 3 0`. Without requests its first head is cut.
 *
 * The first connections create what exists once, and let V8 compile what runs often. After that it is the median of many
 * steps: a step in which a table grows, or V8 collects what an earlier one has left, is not the median.
 */
import { AssembleHarness } from './assemble-harness.ts'
import { numbered, request } from './http-script.ts'
import { TcpScript } from './tcp-script.ts'

/** More than connections at rest that stay objects. */
const FIRST = 5000
const STEP = 400
const STEPS = 11
const [requests, responses] = process.argv.slice(2).map(Number)

const script = new TcpScript().handshake().client(requests === 0 ? 'GET / HTTP/1.1' : request('/0').repeat(requests))
for (let index = 0; index < responses; index++) script.server(numbered(index))
const harness = new AssembleHarness({ flows: FIRST + STEPS * STEP + 1, onPair: () => {}, poolBytes: 32 * 1024 * 1024 })

let port = 1

function connect(count: number): void {
  for (const end = port + count; port < end; port++) harness.script(script, { client: { address: '10.0.0.1', port } })
}

function usedBytes(): number {
  // The second collection waits until what the first has found is swept.
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

connect(FIRST)
let last = usedBytes()
const steps = Array.from({ length: STEPS }, () => {
  connect(STEP)
  const before = last
  last = usedBytes()
  return (last - before) / STEP
})
harness.finish()
process.stdout.write(`${steps.sort((one, other) => one - other)[STEPS >> 1]}\n`)
