// A Node http server for recording. It appends to $TRUTH, for each exchange it has finished, what it received and what
// it sent: method, target, status, and size and SHA-256 of both bodies as they were on the wire without chunk framing.
//
// node node.mjs PORT [HOST]
import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'

const truth = process.env.TRUTH
const log = (entry) => appendFileSync(truth, `${JSON.stringify(entry)}\n`)
const sum = (chunks) => {
  const hash = createHash('sha256')
  let size = 0
  for (const chunk of chunks) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, sha256: hash.digest('hex') }
}
const bytes = (chunk, encoding) => (typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk))

/** Wraps write and end to record the bytes that are sent. */
function watch(req, res) {
  const received = []
  const sent = []
  req.on('data', (chunk) => received.push(chunk))
  const write = res.write.bind(res)
  const end = res.end.bind(res)
  const bodiless = () => req.method === 'HEAD' || res.statusCode === 204 || res.statusCode === 304
  res.write = (chunk, encoding) => {
    sent.push(bytes(chunk, typeof encoding === 'string' ? encoding : 'utf8'))
    return write(chunk, encoding)
  }
  res.end = (chunk) => {
    // end calls write itself on some versions of Node: record the bytes in one place only
    if (chunk !== undefined && chunk !== null) sent.push(bytes(chunk, 'utf8'))
    res.write = write
    return end(chunk)
  }
  // an exchange is complete when the response is sent and the request has ended, in either order
  let finished = false
  let open = 2
  const over = () => {
    if (--open > 0) return
    const entry = { method: req.method, target: req.url, status: res.statusCode }
    if (finished && req.complete) {
      log({ ...entry, requestBody: sum(received), responseBody: bodiless() ? sum([]) : sum(sent) })
    } else {
      log({ ...entry, expect: 'may', why: finished ? 'request not received to its end' : 'response cut off' })
    }
  }
  res.on('finish', () => (finished = true))
  res.on('close', over)
  req.on('close', over)
  return received
}

const text = (size, seed) => {
  const line = `${seed} the quick brown fox jumps over the lazy dog\n`
  return line.repeat(Math.ceil(size / line.length)).slice(0, size)
}

const readAll = async (req) => {
  for await (const _ of req);
}

const routes = {
  async '/echo'(req, res, url, received) {
    await readAll(req)
    const answer = { id: url.searchParams.get('n'), method: req.method, target: req.url, received: sum(received).sha256 }
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify(answer))
  },
  async '/chunked'(req, res, url) {
    await readAll(req)
    res.setHeader('content-type', 'application/json')
    const n = Number(url.searchParams.get('chunks') ?? 5)
    res.write(`{"target":${JSON.stringify(req.url)},"rows":[`)
    for (let i = 0; i < n; i++) {
      res.write(`${i ? ',' : ''}${JSON.stringify({ row: i, name: text(10 + i * 7, 'r').trim() })}`)
      await sleep(1)
    }
    res.end(']}')
  },
  async '/trailers'(req, res) {
    await readAll(req)
    res.writeHead(200, { 'content-type': 'application/json', trailer: 'X-Digest, X-Took' })
    res.write('{"a":')
    await sleep(2)
    res.write('[1,2,3]')
    res.addTrailers({ 'X-Digest': 'abc', 'X-Took': '3ms' })
    res.end(`,"t":${JSON.stringify(req.trailers)}}`)
  },
  async '/early'(req, res) {
    await readAll(req)
    res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
    await sleep(5)
    res.writeProcessing()
    await sleep(5)
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ target: req.url, hints: true }))
  },
  async '/sse'(req, res, url) {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    for (let i = 0; i < Number(url.searchParams.get('n') ?? 5); i++) {
      res.write(`id: ${i}\nevent: tick\ndata: {"tick":${i}}\n\n`)
      await sleep(15)
    }
    res.end()
  },
  async '/encoded'(req, res, url) {
    await readAll(req)
    const body = Buffer.from(JSON.stringify({ target: req.url, text: text(3000, 'enc') }))
    const as = url.searchParams.get('as')
    const made = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync, rawdeflate: deflateRawSync }[as](body)
    res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': as.replace('raw', '') })
    if (url.searchParams.has('chunked')) {
      res.write(made.subarray(0, 20))
      await sleep(3)
      res.end(made.subarray(20))
    } else res.end(made)
  },
  async '/size'(req, res, url) {
    await readAll(req)
    const body = text(Number(url.searchParams.get('bytes')), 'size')
    const headers = { 'content-type': url.searchParams.get('type') ?? 'application/json' }
    if (!url.searchParams.has('chunked')) headers['content-length'] = body.length
    res.writeHead(200, headers)
    const step = 40000
    for (let at = 0; at < body.length; at += step) {
      if (!res.write(body.slice(at, at + step))) await new Promise((go) => { res.once('drain', go); res.once('close', go) })
      if (res.destroyed) return
    }
    res.end()
  },
  async '/status'(req, res, url) {
    await readAll(req)
    const code = Number(url.searchParams.get('code'))
    res.writeHead(code, code === 301 || code === 302 ? { location: '/echo?n=moved' } : {})
    if (code === 204 || code === 304) res.end()
    else res.end(`status ${code}\n`)
  },
  async '/etag'(req, res) {
    await readAll(req)
    res.setHeader('etag', '"v1"')
    if (req.headers['if-none-match'] === '"v1"') {
      res.writeHead(304)
      res.end()
      return
    }
    res.setHeader('content-type', 'application/json')
    res.end('{"etag":"v1"}')
  },
  async '/slow'(req, res, url) {
    await readAll(req)
    await sleep(Number(url.searchParams.get('ms')))
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ target: req.url }))
  },
  async '/drip'(req, res, url) {
    await readAll(req)
    const body = JSON.stringify({ target: req.url, drip: 'drop' })
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    for (const letter of body) {
      res.write(letter)
      await sleep(2)
    }
    res.end()
  },
  async '/early-answer'(req, res) {
    // answers before the request's body has been read, then reads the rest
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ target: req.url, early: true }))
    await readAll(req)
  },
  async '/header'(req, res, url) {
    await readAll(req)
    res.setHeader('content-type', 'application/json')
    res.setHeader('x-large', 'h'.repeat(Number(url.searchParams.get('bytes') ?? 0)))
    res.end(JSON.stringify({ target: req.url, got: (req.headers['x-large'] ?? '').length }))
  },
  async '/latin'(req, res) {
    await readAll(req)
    res.writeHead(200, 'Très bien', ['Content-Type', 'application/json; charset=utf-8', 'X-Name', 'Zoë', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'])
    res.end(JSON.stringify({ target: req.url, name: 'Zoë' }))
  },
  async '/reset'(req, res) {
    await readAll(req)
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': 5000 })
    res.write('{"cut":"')
    await sleep(20)
    res.socket.resetAndDestroy()
  },
  async '/cut'(req, res, url) {
    await readAll(req)
    const headers = { 'content-type': 'application/json' }
    if (!url.searchParams.has('chunked')) headers['content-length'] = 5000
    res.writeHead(200, headers)
    res.write('{"cut":"')
    await sleep(20)
    res.socket.destroy()
  },
  async '/close'(req, res) {
    await readAll(req)
    res.writeHead(200, { 'content-type': 'application/json', connection: 'close' })
    res.end(JSON.stringify({ target: req.url, last: true }))
  },
  async '/'(req, res) {
    await readAll(req)
    res.setHeader('content-type', 'text/html')
    res.end(`<!doctype html><title>Shop</title><link rel=stylesheet href=/style.css><script src=/app.js></script><img src=/logo.svg><h1>Shop</h1>`)
  },
  async '/style.css'(req, res) {
    await readAll(req)
    res.setHeader('content-type', 'text/css')
    res.end(text(4000, '/* css */ h1 { color: teal }'))
  },
  async '/logo.svg'(req, res) {
    await readAll(req)
    res.setHeader('content-type', 'image/svg+xml')
    res.end('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>')
  },
  async '/app.js'(req, res) {
    await readAll(req)
    res.setHeader('content-type', 'text/javascript')
    res.end(`(async () => {
      for (let i = 0; i < 6; i++) {
        await fetch('/echo?n=post' + i, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ item: i }) })
      }
      await Promise.all([1, 2, 3, 4].map((i) => fetch('/chunked?chunks=' + i).then((r) => r.json())))
      await fetch('/echo?n=form', { method: 'POST', body: new URLSearchParams({ name: 'Zoë', q: '1' }) })
      const form = new FormData()
      form.append('file', new Blob(['hello']), 'hello.txt')
      await fetch('/echo?n=multipart', { method: 'PUT', body: form })
      await fetch('/echo?n=gone', { method: 'DELETE' })
      document.title = 'done'
    })()`)
  },
}

const server = createServer({ maxHeaderSize: 262144, keepAliveTimeout: Number(process.env.KEEP_ALIVE_MS ?? 5000) })
const handle = async (req, res) => {
  const received = watch(req, res)
  const url = new URL(req.url, 'http://server')
  const route = routes[url.pathname]
  try {
    if (route) await route(req, res, url, received)
    else {
      await readAll(req)
      res.writeHead(404, { 'content-type': 'text/plain' })
      res.end(`nothing at ${req.url}\n`)
    }
  } catch (error) {
    if (!res.destroyed) res.destroy(error)
  }
}
server.on('request', handle)
server.on('checkContinue', (req, res) => {
  if (req.url.startsWith('/refuse')) {
    // the expectation is refused: no body follows
    res.writeHead(417, { 'content-type': 'text/plain', connection: 'close' })
    res.end('no\n')
    const entry = { method: req.method, target: req.url, status: 417, expect: 'may', why: 'the body was refused and never sent' }
    log(entry)
    return
  }
  res.writeContinue()
  handle(req, res)
})
server.on('upgrade', (req, socket) => {
  const accept = createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  log({ method: req.method, target: req.url, status: 101 })
  const frame = (payload) => Buffer.concat([Buffer.from([0x81, payload.length]), Buffer.from(payload)])
  socket.write(frame('GET / HTTP/1.1 is only text here'))
  socket.on('data', () => socket.write(frame('{"pong":true}')))
  socket.on('error', () => {})
  setTimeout(() => socket.end(Buffer.from([0x88, 0])), 150)
})
server.on('clientError', (error, socket) => {
  // bytes that Node cannot parse never become a request; it answers 400 and closes
  const [method, target] = (error.rawPacket ?? Buffer.alloc(0)).toString('latin1').split(' ', 2)
  if (socket.writable && target) log({ method, target, status: 400, expect: 'may', why: 'refused as malformed' })
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
})
server.listen(Number(process.argv[2]), process.argv[3] ?? '::')
