/**
 * A proxy that terminates TLS and forwards plaintext HTTP, like a sidecar in front of an application. Needs openssl.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

const PROXY = `
const [port, target, folder, ...others] = process.argv.slice(1)
const fs = require('fs'), http = require('http'), https = require('https'), net = require('net')
const agent = new http.Agent({ keepAlive: true })
const options = { key: fs.readFileSync(folder + '/key.pem'), cert: fs.readFileSync(folder + '/cert.pem') }
https.createServer(options, (request, response) => {
  const { method, url, headers } = request
  request.pipe(http.request(target + url, { method, headers, agent }, (reply) => {
    response.writeHead(reply.statusCode, reply.headers)
    reply.pipe(response)
  }))
}).listen(Number(port), '0.0.0.0')
for (const other of others) net.createServer().listen(Number(other), '0.0.0.0')
`

/** Creates the proxy's key and certificate, which are deleted after the test. */
export class TlsProxy {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tls-proxy-'))

  constructor(t: TestContext) {
    t.after(() => rmSync(this.#folder, { recursive: true }))
    const request = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=proxy']
    const files = ['-keyout', 'key.pem', '-out', 'cert.pem']
    execFileSync('openssl', ['req', ...request, ...files], { cwd: this.#folder, stdio: 'ignore' })
  }

  /**
   * The command that starts it. @param target such as `http://127.0.0.1:8080` @param others further ports to listen on
   */
  program(port: number, target: string, others: readonly number[] = []): string[] {
    return [process.execPath, '-e', PROXY, String(port), target, this.#folder, ...others.map(String)]
  }
}
