/** Reads pairs from a running agent's tap (docs/tap.md), in the order in which the agent ships them. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorText, type InterceptorError, privilegeError, runtimeError } from '../errors.ts'
import { PROTOCOL, TapFrames } from './frames.ts'

/** How long an agent may take to respond. */
const HELLO_MS = 5_000

/** The frames that arrived together. */
export interface TapBatch {
  /** In MessagePack (docs/pair.md); `readPair` makes an object of one. */
  readonly pairs: readonly Uint8Array[]
  /** Pairs before or among these that were shipped but not shown, because this reader was too slow. */
  readonly notShown: number
}

/** A connection to a tap. */
export class TapClient {
  /** Why the agent closed the connection; null: it gave no reason. */
  closedBecause: string | null = null
  readonly #socket: Socket
  readonly #frames = new TapFrames()
  readonly #path: string

  private constructor(socket: Socket, path: string) {
    this.#socket = socket
    // A connection that breaks ends like one that is closed; an event without a listener would end the process.
    socket.on('error', () => {})
    this.#path = path
  }

  /**
   * Connects to the agent that listens at a unix socket.
   *
   * @throws InterceptorError: there is no agent (EXIT_RUNTIME), or it is another user's (EXIT_PRIVILEGE)
   */
  static async connect(path: string): Promise<TapClient> {
    const socket = createConnection(path)
    try {
      await once(socket, 'connect')
      const client = new TapClient(socket, path)
      await client.#greet()
      return client
    } catch (error) {
      socket.destroy()
      throw cannotConnect(path, error)
    }
  }

  /**
   * The pairs, until the agent closes the connection or `signal` is aborted. Where the caller is slower than the agent, the
   * agent counts what it does not show.
   *
   * @throws InterceptorError when what arrives does not come from a tap
   */
  async *batches(signal: AbortSignal): AsyncGenerator<TapBatch, void> {
    const abort = (): void => void this.#socket.destroy()
    signal.addEventListener('abort', abort, { once: true })
    try {
      for (let batch = this.#batch(); ; batch = this.#batch()) {
        if (batch.pairs.length > 0 || batch.notShown > 0) yield batch
        if (signal.aborted || !(await this.#more())) return
      }
    } finally {
      signal.removeEventListener('abort', abort)
      this.#socket.destroy()
    }
  }

  /** Reads the first frame. */
  async #greet(): Promise<void> {
    const silent = sleep(HELLO_MS, null, { ref: false })
    for (;;) {
      const frame = this.#frames.next()
      if (frame instanceof Error || (frame !== null && frame.kind !== 'text')) throw new OtherProgram()
      if (frame !== null && frame.text !== PROTOCOL) throw new OtherProgram()
      if (frame !== null) return
      const more = await Promise.race([this.#more(), silent])
      if (more === null) throw new Error('it does not respond')
      if (!more) throw new OtherProgram()
    }
  }

  /** Waits for bytes. @returns false at the end of the connection */
  async #more(): Promise<boolean> {
    for (;;) {
      const chunk = this.#socket.read() as Buffer | null
      if (chunk !== null) {
        this.#frames.push(chunk)
        return true
      }
      if (this.#socket.destroyed || this.#socket.readableEnded) return false
      await new Promise<void>((resolve) => {
        const done = (): void => {
          for (const event of ['readable', 'end', 'close', 'error']) this.#socket.off(event, done)
          resolve()
        }
        for (const event of ['readable', 'end', 'close', 'error']) this.#socket.once(event, done)
      })
    }
  }

  #batch(): TapBatch {
    const pairs: Uint8Array[] = []
    let notShown = 0
    for (let frame = this.#frames.next(); frame !== null; frame = this.#frames.next()) {
      if (frame instanceof Error) throw cannotConnect(this.#path, new OtherProgram())
      if (frame.kind === 'pair') pairs.push(frame.bytes)
      else if (frame.kind === 'notShown') notShown += frame.pairs
      else this.closedBecause = frame.text
    }
    return { pairs, notShown }
  }
}

/** The program at the socket does not send what a tap sends. */
class OtherProgram extends Error {
  override readonly message = 'another program, or another version of the agent, listens there'
}

function cannotConnect(path: string, error: unknown): InterceptorError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM') {
    return privilegeError(`the agent's socket ${path} may be opened by the agent's own user only`, {
      hint: 'Run it as that user, which is usually root: with sudo, or with kubectl exec in the agent’s pod.',
      cause: error,
    })
  }
  const missing = code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK'
  const reason = missing ? 'nothing listens there' : errorText(error)
  return runtimeError(`there is no agent at ${path}: ${reason}`, {
    hint: 'Run it beside the agent, as in kubectl exec ds/interceptor -- interceptor tail; name its tap.socket with --agent PATH, or a topic with --brokers.',
    cause: error,
  })
}
