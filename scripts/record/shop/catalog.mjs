// The shop's catalog (Node): products, gzip where asked for, a probe and metrics. node catalog.mjs
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'

const names = ['Teapot', 'Kettle', 'Mug', 'Saucer', 'Strainer', 'Caddy', 'Infuser', 'Tray']
const products = names.map((name, i) => ({ id: 40 + i, name, price: { amount: 990 + i * 350, currency: 'EUR' }, stock: (i * 7) % 12 }))

const answer = (req, res, status, value) => {
  const body = Buffer.from(JSON.stringify(value))
  res.setHeader('Content-Type', 'application/json; charset=utf-8')
  if (/gzip/.test(req.headers['accept-encoding'] ?? '') && body.length > 300) {
    res.writeHead(status, { 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' })
    const packed = gzipSync(body)
    res.write(packed.subarray(0, 100))
    res.end(packed.subarray(100))
  } else {
    res.writeHead(status, { 'Content-Length': body.length })
    res.end(req.method === 'HEAD' ? undefined : body)
  }
}

createServer((req, res) => {
  const url = new URL(req.url, 'http://catalog')
  const id = /^\/products\/(\d+)$/.exec(url.pathname)?.[1]
  if (url.pathname === '/healthz') res.end('ok\n')
  else if (url.pathname === '/metrics') res.end('# TYPE catalog_products gauge\ncatalog_products 8\n')
  else if (url.pathname === '/products') answer(req, res, 200, { products })
  else if (url.pathname === '/search') answer(req, res, 200, { hits: products.filter((p) => p.name.toLowerCase().includes(url.searchParams.get('q'))) })
  else if (id !== undefined) {
    const found = products.find((p) => p.id === Number(id))
    answer(req, res, found ? 200 : 404, found ?? { error: `no product ${id}` })
  } else answer(req, res, 404, { error: 'not found' })
}).listen(8080)
