/**
 * TCP ports of this machine for servers that get their ports as settings, and may be started again on the same ones.
 *
 * Blocks of ports lie below the ports of outgoing connections (32768 and up on Linux), of which the kernel could otherwise
 * give one to a client while a server is stopped. A process has a block while it listens on the block's first port, so the
 * kernel decides between processes that want the same one.
 */
import { createServer, type Server } from 'node:net'

const FIRST_PORT = 16_384
const BLOCK_PORTS = 32
const BLOCKS = 512
/** Far from each other for consecutive process ids. */
const STRIDE = 197

/**
 * Reserves consecutive ports of this machine until the exit of this process.
 *
 * @param count at most 31
 * @returns the first of them
 * @throws when no block is free
 */
export async function reservePorts(count: number): Promise<number> {
  if (count >= BLOCK_PORTS) throw new Error(`at most ${BLOCK_PORTS - 1} ports`)
  for (let block = 0; block < BLOCKS; block += 1) {
    const lock = FIRST_PORT + ((process.pid * STRIDE + block) % BLOCKS) * BLOCK_PORTS
    const owner = await listen(lock)
    if (owner === null) continue
    if (await areFree(lock + 1, count)) {
      owner.unref()
      return lock + 1
    }
    await close(owner)
  }
  throw new Error('no ports are free')
}

/** Whether no other program listens on one of them. */
async function areFree(first: number, count: number): Promise<boolean> {
  const servers = await Promise.all(Array.from({ length: count }, (_, index) => listen(first + index)))
  await Promise.all(servers.map((server) => server && close(server)))
  return servers.every((server) => server !== null)
}

/** @returns null if the port is in use */
function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', () => resolve(null)).listen(port, () => resolve(server))
  })
}

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
