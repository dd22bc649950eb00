/** The printed commands, run by bash and curl against a server that reports what arrives. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { createFormat } from '../../src/format/create-format.ts'
import type { Header, Pair } from '../../src/pair/pair.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { anyPair, samplePair } from '../pair/samples.ts'

const OPTIONS = { decode: true, color: false, width: null, verbose: false, version: '0' }

function commandOf(pair: Pair): string {
  const text = createFormat('curl', OPTIONS).pair(packPair(pair))
  assert.equal(typeof text, 'string')
  return text as string
}

function missing(): string | false {
  try {
    execFileSync('bash', ['-c', 'curl --version && base64 --version'])
    return false
  } catch {
    return 'needs bash, curl and base64'
  }
}

interface Arrived {
  method: string | undefined
  url: string | undefined
  headers: IncomingHttpHeaders
  body: Buffer
}

test('curl: nothing of a pair reaches the terminal as a control character', () => {
  fc.assert(
    fc.property(anyPair, (pair) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be absent
      assert.doesNotMatch(commandOf(pair).replaceAll('\n', ''), /[\x00-\x1f\x7f-\x9f]/)
    }),
  )
})

suite('curl: run in a shell', { skip: missing() }, () => {
  const arrived: Arrived[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method, url, headers } = request
    arrived.push({ method, url, headers, body: Buffer.concat(chunks) })
    response.end()
  })
  before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
  after(() => server.close())

  async function send(request: Partial<Pair['request']>): Promise<Arrived> {
    const host: Header = ['Host', `127.0.0.1:${(server.address() as AddressInfo).port}`]
    const pair = samplePair({ request: { ...request, headers: [host, ...(request.headers ?? [])] } })
    const shell = spawn('bash', { stdio: ['pipe', 'ignore', 'ignore'] })
    shell.stdin.end(commandOf(pair))
    assert.deepEqual(await once(shell, 'close'), [0, null])
    return arrived.at(-1) as Arrived
  }

  test('sends a request as it was captured', async () => {
    const seen = await send({
      method: 'PATCH',
      target: "/a/../b?q='x'&y[]=1",
      headers: [
        ['Content-Type', 'application/json'],
        ['X-Quote', `it's "quoted" $HOME \`id\` \\n`],
        ['X-Empty', ''],
        ['Content-Length', '99'],
        ['Transfer-Encoding', 'chunked'],
      ],
      body: Buffer.from('{"a":"$(id) \'é\'\n\\\\ \u001b[2J"}'),
    })
    assert.deepEqual([seen.method, seen.url], ['PATCH', "/a/../b?q='x'&y[]=1"])
    assert.equal(seen.body.toString(), '{"a":"$(id) \'é\'\n\\\\ \u001b[2J"}')
    assert.equal(seen.headers['x-quote'], `it's "quoted" $HOME \`id\` \\n`)
    assert.deepEqual([seen.headers['x-empty'], seen.headers['content-type']], ['', 'application/json'])
    assert.deepEqual([seen.headers['user-agent'], seen.headers.accept], [undefined, undefined])
    assert.equal(seen.headers['content-length'], String(seen.body.length))
  })

  test('sends bodies that no argument can hold', async () => {
    for (const body of [Buffer.from([0, 255, 10, 39]), Buffer.alloc(300_000, 'x'), Buffer.from('a\0b')]) {
      const seen = await send({ body })
      assert.ok(seen.body.equals(body))
      assert.deepEqual([seen.method, seen.headers['content-type']], ['POST', undefined])
    }
  })

  test('sends requests without a body', async () => {
    for (const method of ['GET', 'HEAD', 'DELETE', 'POST']) {
      const seen = await send({ method, body: Buffer.alloc(0), headers: [['Accept', 'a/b']] })
      assert.deepEqual([seen.method, seen.headers.accept, seen.body.length], [method, 'a/b', 0])
    }
  })
})
