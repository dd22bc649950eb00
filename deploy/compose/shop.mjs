// A shop with one customer, who asks for something every second: traffic to look at. `node shop.mjs PORT`
import { createServer } from 'node:http'

const port = Number(process.argv[2] ?? 8080)
const origin = `http://127.0.0.1:${port}`
const GOODS = ['apples', 'bread', 'cheese', 'dates']

const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray()).toString()
  const order = body === '' ? {} : JSON.parse(body)
  const answer =
    request.method === 'POST' ? { order: Date.now(), ...order } : { goods: GOODS.map((name) => ({ name, stock: 12 })) }
  response.writeHead(request.method === 'POST' ? 201 : 200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer))
})

async function buy() {
  const { goods } = await (await fetch(`${origin}/goods`)).json()
  const { name } = goods[Math.floor(Math.random() * goods.length)]
  const headers = { 'content-type': 'application/json' }
  await (await fetch(`${origin}/orders`, { method: 'POST', headers, body: JSON.stringify({ name, pieces: 1 }) })).json()
}

server.listen(port, '127.0.0.1', () => {
  console.log(`the shop is open on ${origin}`)
  setInterval(() => buy().catch((error) => console.error(String(error))), 1000)
})
