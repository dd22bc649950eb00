/** HTTP between network namespaces, by Node.js in separate processes. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Namespace } from '../../rig/netns.ts'
import { killAtExit } from '../../rig/process-tree.ts'

const SERVER = `
const [port, bytes] = process.argv.slice(1).map(Number)
const body = Buffer.alloc(bytes, 'interceptor ')
require('http').createServer((request, response) => { request.resume(); request.on('end', () => response.end(body)) })
  .listen(port, '::', () => console.log('listening'))
process.stdin.on('end', () => process.exit()).resume()`

const CLIENT = `
const [url, count, bytes] = process.argv.slice(1)
const http = require('http'), agent = new http.Agent({ keepAlive: true })
const one = () => new Promise((resolve, reject) => {
  const request = http.request(url, { method: 'POST', agent }, (response) => response.resume().on('end', resolve))
  request.on('error', reject).end(Buffer.alloc(Number(bytes), 'q'))
})
;(async () => { for (let i = 0; i < Number(count); i++) await one(); agent.destroy() })()`

const within = (namespace: Namespace | null): string[] =>
  namespace === null ? [] : ['ip', 'netns', 'exec', namespace.name]

/** Starts a server that responds to everything with `bytes` bytes; it ends with its standard input. */
export async function serveHttp(namespace: Namespace | null, port: number, bytes: number): Promise<ChildProcess> {
  const [program, ...args] = [...within(namespace), process.execPath, '-e', SERVER, String(port), String(bytes)]
  const server = killAtExit(spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] }))
  await once(server.stdout, 'data')
  return server
}

/** Ends a server. */
export async function endServer(server: ChildProcess): Promise<void> {
  server.stdin!.end()
  await once(server, 'exit')
}

/** Sends `count` POST requests of `bytes` bytes over one connection. Resolves after the last response. */
export function requestHttp(namespace: Namespace | null, url: string, count: number, bytes = 0): void {
  const [program, ...args] = [...within(namespace), process.execPath, '-e', CLIENT, url, String(count), String(bytes)]
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}
