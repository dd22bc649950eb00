/** Proxies between clients and a real Kafka that corrupt or stop traffic. */
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Transforms a chunk from the broker; null: the connection is closed after half of it. */
export type Damage = (chunk: Buffer) => Buffer | null

/** A proxy to the broker's listener one port below it. */
export class BrokerProxy {
  damage: Damage | null = null
  readonly port: number
  /** The name that the broker advertises for it. */
  readonly host: string
  readonly #server: Server
  /** Sockets of clients, with their connections to the broker. */
  readonly #connections = new Map<Socket, Socket>()
  #refuses = false

  constructor(port: number, host = '127.0.0.1') {
    this.port = port
    this.host = host
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client)).listen(port, '127.0.0.1')
  }

  /** Closes every connection and each new one at once, until `admit`. */
  refuse(): void {
    this.#refuses = true
    for (const client of this.#connections.keys()) client.destroy()
  }

  admit(): void {
    this.#refuses = false
  }

  /** Half-closes every connection from the broker's side, and ignores what its client still sends. */
  halfClose(): void {
    for (const [client, server] of this.#connections) {
      client.unpipe(server).resume().end()
      server.removeAllListeners('data')
    }
  }

  /** Stops reading from clients, whose connections stay open. */
  stall(): void {
    for (const [client, server] of this.#connections) {
      client.unpipe(server).pause()
      server.removeAllListeners('data')
    }
  }

  close(): void {
    this.#server.close()
    this.refuse()
  }

  #accept(client: Socket): void {
    client.on('error', () => {})
    if (this.#refuses) {
      client.destroy()
      return
    }
    const server = connect(this.port - 1, '127.0.0.1')
    this.#connections.set(client, server)
    client.on('close', () => {
      this.#connections.delete(client)
      server.destroy()
    })
    server.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.pipe(server)
    server.on('data', (chunk: Buffer) => {
      const sent = this.damage === null ? chunk : this.damage(chunk)
      if (sent !== null) client.write(sent)
      else client.end(chunk.subarray(0, chunk.length >> 1))
    })
  }
}

/**
 * Settings of a broker with one listener per proxy, which it advertises to clients of that proxy. @param port the
 * broker's first port
 */
export function proxyListeners(port: number, proxies: readonly BrokerProxy[]): string[] {
  const own = [
    `PLAINTEXT://127.0.0.1:${port}`,
    `SASL_SSL://localhost:${port + 1}`,
    `CONTROLLER://127.0.0.1:${port + 2}`,
  ]
  const listening = proxies.map(({ port }, index) => `PROXY${index}://127.0.0.1:${port - 1}`)
  const advertised = proxies.map(({ port, host }, index) => `PROXY${index}://${host}:${port}`)
  const protocols = proxies.map((_, index) => `PROXY${index}:PLAINTEXT`)
  return [
    `listeners=${[...own, ...listening].join(',')}`,
    `advertised.listeners=${[...own, ...advertised].join(',')}`,
    `listener.security.protocol.map=${['CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL', ...protocols].join(',')}`,
  ]
}
