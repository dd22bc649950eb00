// Demo traffic: a shop's API, and a client that sends two requests every second.
//
//     node shop.mjs serve PORT
//     node shop.mjs buy URL
import { createServer } from 'node:http'

const GOODS = ['apples', 'bread', 'cheese', 'dates']

function serve(port) {
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const order = body === '' ? null : JSON.parse(body)
    const result =
      order === null ? { goods: GOODS.map((name) => ({ name, stock: 12 })) } : { number: Date.now(), ...order }
    response.writeHead(order === null ? 200 : 201, { 'content-type': 'application/json' })
    response.end(JSON.stringify(result))
  })
  server.listen(port, () => console.log(`listening on port ${port}`))
}

async function buy(url) {
  const { goods } = await (await fetch(`${url}/goods`)).json()
  const { name } = goods[Math.floor(Math.random() * goods.length)]
  const headers = { 'content-type': 'application/json' }
  await (await fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify({ name, pieces: 1 }) })).text()
}

const [what, where] = process.argv.slice(2)
if (what === 'serve') serve(Number(where))
else setInterval(() => buy(where).catch((error) => console.error(String(error))), 1000)
