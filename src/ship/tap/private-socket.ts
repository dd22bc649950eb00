/**
 * Listens on a unix socket that only this process's user may connect to. The permission is never wider, not even for a
 * moment: the socket is created in a folder that no other user may enter, and linked to its path once its mode is set.
 *
 * A link, unlike a rename, replaces nothing: of two processes that start at the same time, one gets the path, and the other
 * an error. What a killed process has left is removed first.
 */
import { once } from 'node:events'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createConnection, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { runtimeError } from '../../errors.ts'

/** Of the folders in which sockets are created. One exists for milliseconds, unless its process is killed in them. */
const FOLDER_PREFIX = '.tap-'
const ABANDONED_MS = 60_000

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
  await deadSocketAt(path)
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  removeAbandoned(folder)
  const own = mkdtempSync(join(folder, FOLDER_PREFIX))
  try {
    const created = join(own, 's')
    server.listen(created)
    await once(server, 'listening')
    chmodSync(created, 0o600)
    while (!linked(created, path)) {
      const dead = await deadSocketAt(path)
      if (dead !== null) removeDead(path, dead, join(own, 'dead'))
    }
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

/** @returns false if there is a file already */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/**
 * @returns the identity of a socket there on which nobody listens; null: there is none
 * @throws InterceptorError when a process listens there, or the file is not a socket
 */
async function deadSocketAt(path: string): Promise<string | null> {
  const identity = identityOf(path)
  if (identity === null) return null
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() === false)
    throw runtimeError('there is a file of another kind')
  if (!(await isDead(path))) throw runtimeError('another process listens there')
  return identity
}

/** Removes a dead socket. One that another process has put there since stays, or is put back. */
function removeDead(path: string, dead: string, removed: string): void {
  if (identityOf(path) !== dead) return
  try {
    renameSync(path, removed)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (identityOf(removed) !== dead) linked(removed, path)
}

/** Removes what processes of this user have left that were killed while they created their socket. */
function removeAbandoned(folder: string): void {
  for (const name of namesIn(folder)) {
    if (!name.startsWith(FOLDER_PREFIX)) continue
    const path = join(folder, name)
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined || found.uid !== process.getuid?.()) continue
    if (Date.now() - found.mtimeMs > ABANDONED_MS) rmSync(path, { recursive: true, force: true })
  }
}

/** @returns none if the folder may be used but not listed */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return []
    throw error
  }
}

/** Whether nobody listens on a socket. A process that is stopped, or has no room for another connection, listens. */
async function isDead(path: string): Promise<boolean> {
  const socket = createConnection(path)
  try {
    await once(socket, 'connect')
    return false
  } catch (error) {
    return ['ECONNREFUSED', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')
  } finally {
    socket.destroy()
  }
}

/** @returns null if there is no such file */
function identityOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev}:${found.ino}`
}
