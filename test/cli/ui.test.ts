import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { EXIT_DONE, EXIT_RUNTIME, EXIT_USAGE } from '../../src/errors.ts'
import type { FunnelView, StreamMessage, UiState } from '../../src/ui/protocol.ts'
import { CAPTURE, run, start } from './support.ts'

/** The parts of the printed address. */
async function addressOf(child: ReturnType<typeof start>): Promise<{ base: string; token: string }> {
  const lines = createInterface({ input: child.stdout! })
  const [line] = (await once(lines, 'line')) as [string]
  const [base = '', token = ''] = line.split('/#token=')
  return { base, token }
}

test('ui: serves the pairs of a capture and its ledger until it is interrupted', async (t) => {
  const child = start(['ui', '--listen', '127.0.0.1:0', CAPTURE])
  t.after(() => child.kill('SIGKILL'))
  const { base, token } = await addressOf(child)
  const get = (path: string): Promise<Response> => fetch(base + path, { headers: { authorization: `Bearer ${token}` } })
  let seen = 0
  for await (const chunk of (await get('/api/stream?method=GET')).body!.pipeThrough(new TextDecoderStream())) {
    const states = chunk.split('\n').filter((line) => line.includes('"t":"state"'))
    const ended = states
      .map((line) => JSON.parse(line) as StreamMessage & { state: UiState })
      .find((one) => one.state.ended)
    seen = ended?.state.seen ?? 0
    if (ended !== undefined) break
  }
  assert.ok(seen > 0)
  const { stages } = (await (await get('/api/ledger')).json()) as FunnelView
  assert.deepEqual([stages?.at(-1)?.title, stages?.at(-1)?.out], ['Output', seen])
  const refused = await get('/api/check?minLatency=fast')
  assert.equal(refused.status, 400)
  assert.match(await refused.text(), /--min-latency/)
  child.kill('SIGINT')
  assert.deepEqual(await once(child, 'exit'), [EXIT_DONE, null])
})

test('ui: ends with an error for a file that does not exist, and for a wrong option', async () => {
  const wrong = await run(['ui', '--listen', '127.0.0.1:0', 'no-such.pcap'])
  assert.equal(wrong.code, EXIT_RUNTIME)
  assert.match(wrong.stderr, /no-such\.pcap: no such file/)
  for (const args of [['ui'], ['ui', '--listen', '0.0.0.0:0', CAPTURE], ['ui', '--where', 'x', CAPTURE]]) {
    assert.equal((await run(args)).code, EXIT_USAGE, args.join(' '))
  }
})
