/**
 * Listens on a unix socket that only this process's user may connect to. The permission is never wider, not even for a
 * moment: the socket is created in a folder that no other user may enter, and renamed once its mode is set. The rename
 * replaces what an agent that was killed has left.
 */
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { createConnection, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { runtimeError } from '../../errors.ts'

/** A socket that is listened on. */
export interface PrivateSocket {
  /** Closes the server, and removes the socket unless another process has replaced it. */
  close(): void
}

/**
 * @param path at most 90 bytes; its folder is created with the mode 0700 if it does not exist
 * @throws InterceptorError when another process listens there, or when the path is not a socket; system errors
 */
export async function listenPrivately(server: Server, path: string): Promise<PrivateSocket> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isSocket() === false) throw runtimeError('there is a file of another kind')
  if (found !== undefined && (await isListening(path))) throw runtimeError('another process listens there')
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const own = mkdtempSync(join(folder, '.tap-'))
  try {
    const created = join(own, 's')
    server.listen(created)
    await once(server, 'listening')
    chmodSync(created, 0o600)
    renameSync(created, path)
  } catch (error) {
    server.close()
    throw error
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
  const identity = identityOf(path)
  return {
    close() {
      server.close()
      if (identityOf(path) === identity) rmSync(path, { force: true })
    },
  }
}

/** Whether a process accepts connections at a socket. */
async function isListening(path: string): Promise<boolean> {
  const socket = createConnection(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** @returns null if there is no such file */
function identityOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev}:${found.ino}`
}
