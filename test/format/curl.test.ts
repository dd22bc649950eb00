/** The printed commands, run by bash and curl against a server that reports what arrives. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, METHODS } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { createFormat } from '../../src/format/create-format.ts'
import { decodeBodies } from '../../src/pair/decode-body.ts'
import type { Header, Pair } from '../../src/pair/pair.ts'
import { packPair, readPair } from '../../src/pair/unpack.ts'
import { run } from '../cli/support.ts'
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
  /** Header fields as sent, as name-value pairs. */
  fields: readonly Header[]
  body: Buffer
}

const FIXTURES = fileURLToPath(new URL('../../../test/fixtures/', import.meta.url))
/** Fields that curl generates itself. */
const OWN = ['host', 'content-length', 'transfer-encoding', 'connection', 'expect', 'keep-alive', 'upgrade']

/** Recorded pairs, one for each set of requests that differ only in values. */
async function recordedPairs(): Promise<Uint8Array[]> {
  const captures = readdirSync(FIXTURES).filter((name) => name.endsWith('.pcap.gz'))
  const { stdout } = await run(['read', '--all', '-q', '-o', 'ndjson', ...captures.map((name) => join(FIXTURES, name))])
  const kinds = new Map<string, Uint8Array>()
  for (const line of stdout.split('\n').slice(0, -1)) {
    const { method, target, headers, body } = (JSON.parse(line) as PairJson).request
    const shape = target.replaceAll(/\w+/g, 'a')
    kinds.set(JSON.stringify([method, shape, headers.map(([name]) => name), body === '']), Buffer.from(line))
  }
  return [...kinds.values()]
}

interface PairJson {
  request: { method: string; target: string; headers: Header[]; body: string }
}

/** The parts of a request that must arrive. Fields about a decoded body and about the connection are curl's own. */
function expected(pair: Pair) {
  decodeBodies(pair)
  const { method, target, headers, body, decoded } = pair.request
  return { method, target, fields: sentFields(headers, decoded), body: Buffer.from(body).toString('base64') }
}

const sentFields = (headers: readonly Header[], decoded = false): Header[] =>
  headers.filter(
    ([name]) => !OWN.includes(name.toLowerCase()) && !(decoded && name.toLowerCase() === 'content-encoding'),
  )

test('curl: prints no control character of a pair to the terminal', () => {
  fc.assert(
    fc.property(anyPair, (pair) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be absent
      assert.doesNotMatch(commandOf(pair).replaceAll('\n', ''), /[\x00-\x1f\x7f-\x9f]/)
    }),
  )
})

suite('curl: run in a shell', { skip: missing() }, () => {
  const arrived: Arrived[] = []
  const server = createServer({ maxHeaderSize: 1024 * 1024 }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method, url, headers, rawHeaders } = request
    const fields = rawHeaders.flatMap((name, at): Header[] => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? '']] : []))
    arrived.push({ method, url, headers, fields, body: Buffer.concat(chunks) })
    response.end()
  })
  before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
  after(() => server.close())

  /** Runs the commands in one shell. */
  async function paste(commands: string, curlHome = '/nowhere'): Promise<Arrived[]> {
    const before = arrived.length
    const shell = spawn('bash', { stdio: ['pipe', 'ignore', 'ignore'], env: { ...process.env, CURL_HOME: curlHome } })
    shell.stdin.end(commands)
    await once(shell, 'close')
    return arrived.slice(before)
  }

  async function send(request: Partial<Pair['request']>): Promise<Arrived> {
    const host: Header = ['Host', `127.0.0.1:${(server.address() as AddressInfo).port}`]
    const pair = samplePair({ request: { ...request, headers: [host, ...(request.headers ?? [])] } })
    const [seen, ...more] = await paste(commandOf(pair))
    assert.deepEqual(more, [])
    return seen as Arrived
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

  test('sends targets unchanged, although a URL would escape them', async () => {
    for (const target of ['*', '/a"b{c}|d^`e', '/x#y', '/a/./b', '/q=<>', '/a\\b']) {
      const { url } = await send({ method: 'OPTIONS', target, body: Buffer.alloc(0) })
      assert.equal(url, target)
    }
  })

  test('sends requests that a proxy received to that proxy', async () => {
    const { port } = server.address() as AddressInfo
    const pair = samplePair({
      server: { address: '127.0.0.1', port, pod: null },
      request: {
        method: 'GET',
        target: 'http://shop.test/a?b=1',
        headers: [
          ['Host', 'shop.test'],
          ['Proxy-Connection', 'Keep-Alive'],
        ],
        body: Buffer.alloc(0),
      },
    })
    const [seen] = await paste(commandOf(pair))
    assert.deepEqual([seen?.method, seen?.url, seen?.headers.host], ['GET', 'http://shop.test/a?b=1', 'shop.test'])
    pair.request = {
      ...pair.request,
      method: 'CONNECT',
      target: 'shop.test:443',
      headers: [
        ['Host', 'shop.test:443'],
        ['X-Tunnel', '1'],
      ],
    }
    const connected = once(server, 'connect') as Promise<[IncomingMessage, Socket]>
    const pasted = paste(commandOf(pair))
    const [{ url, headers }, socket] = await connected
    socket.destroy()
    await pasted
    assert.deepEqual([url, headers['x-tunnel'], headers['user-agent']], ['shop.test:443', '1', undefined])
  })

  test('sends the recorded requests of all captures unchanged', async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'curl-'))
    t.after(() => rmSync(home, { recursive: true }))
    const { port } = server.address() as AddressInfo
    writeFileSync(join(home, '.curlrc'), `connect-to = "::127.0.0.1:${port}"\n`)
    const format = createFormat('curl', OPTIONS)
    const commands: string[] = []
    const wanted = []
    for (const bytes of await recordedPairs()) {
      const pair = readPair(bytes) as Pair
      const { method, target, headers } = pair.request
      const isProxied = method === 'CONNECT' || !/^[/*]/.test(target)
      // Skips methods that this test's server does not know, and bytes that a pair does not distinguish.
      if (isProxied || !METHODS.includes(method) || !/^[ -~]*$/.test(JSON.stringify(headers))) continue
      commands.push(format.pair(bytes) as string)
      wanted.push(expected(pair))
    }
    const seen = await paste(commands.join(''), home)
    const found = seen.map(({ method, url, fields, body }) => ({
      method,
      target: url,
      fields: sentFields(fields),
      body: body.toString('base64'),
    }))
    assert.ok(wanted.length > 100, String(wanted.length))
    for (const [at, one] of wanted.entries()) assert.deepEqual(found[at], one)
    assert.equal(found.length, wanted.length)
  })

  test('sends requests without a body', async () => {
    for (const method of ['GET', 'HEAD', 'DELETE', 'POST']) {
      const seen = await send({ method, body: Buffer.alloc(0), headers: [['Accept', 'a/b']] })
      assert.deepEqual([seen.method, seen.headers.accept, seen.body.length], [method, 'a/b', 0])
    }
  })
})
