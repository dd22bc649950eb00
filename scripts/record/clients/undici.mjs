// Node's fetch (undici) over kept-alive connections: node undici.mjs BASE COUNT PARALLEL
const [base, count, parallel] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
let next = 0
const one = async (n) => {
  const kinds = [
    () => fetch(`${base}/echo?n=${n}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ n, text: 'ünï' }) }),
    () => fetch(`${base}/echo?n=${n}`, { method: 'POST', body: new URLSearchParams({ n, q: 'a b' }) }),
    () => fetch(`${base}/chunked?chunks=${n % 7}&n=${n}`),
    () => fetch(`${base}/encoded?as=${['gzip', 'br', 'deflate'][n % 3]}&n=${n}`),
    () => fetch(`${base}/echo?n=${n}`, { method: 'PUT', body: new Blob(['streamed ', String(n)]).stream(), duplex: 'half' }),
    () => fetch(`${base}/status?code=204&n=${n}`),
    () => fetch(`${base}/echo?n=${n}`, { method: 'HEAD' }),
  ]
  const response = await kinds[n % kinds.length]()
  await response.arrayBuffer()
}
const lane = async () => {
  while (next < count) await one(next++)
}
await Promise.all(Array.from({ length: parallel }, lane))
