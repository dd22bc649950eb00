/**
 * A gate in front of a listener of a real Kafka: while it is closed, clients cannot reach the broker, which keeps
 * running and loses nothing.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export class KafkaGate {
  /** The port for clients. */
  readonly address: string
  readonly #port: number
  #server: Server | null = null
  readonly #sockets = new Set<Socket>()

  /** @param port of the gate, closed at first; the next one is the broker's listener behind it */
  constructor(port: number) {
    this.#port = port
    this.address = `127.0.0.1:${port}`
  }

  /** Settings of the broker that add its listener behind the gate. @param port the broker's own first port */
  properties(port: number): string[] {
    const own = `PLAINTEXT://127.0.0.1:${port},SASL_SSL://localhost:${port + 1},CONTROLLER://127.0.0.1:${port + 2}`
    const protocols = 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,GATED:PLAINTEXT'
    return [
      `listeners=${own},GATED://127.0.0.1:${this.#port + 1}`,
      `advertised.listeners=${own},GATED://${this.address}`,
      `listener.security.protocol.map=${protocols}`,
    ]
  }

  async open(): Promise<void> {
    if (this.#server !== null) return
    this.#server = createServer((client) => this.#relay(client)).listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  /** Ends all connections; new ones are refused. */
  async close(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    const closed = once(server, 'close')
    server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #relay(client: Socket): void {
    const broker = connect(this.#port + 1, '127.0.0.1')
    for (const [from, to] of [[client, broker] as const, [broker, client] as const]) {
      this.#sockets.add(from)
      from
        .on('error', () => {})
        .on('close', () => {
          this.#sockets.delete(from)
          to.destroy()
        })
      from.pipe(to)
    }
  }
}
