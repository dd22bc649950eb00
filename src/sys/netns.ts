/** Runs synchronous work in another network namespace (setns(2), network_namespaces(7)), on the calling thread. */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { EXIT_RUNTIME, runtimeError } from '../errors.ts'
import { setns } from './libc.ts'

const CLONE_NEWNET = 0x40000000
/** The calling thread's namespace. /proc/self would be the main thread's. */
const OWN_NAMESPACE = '/proc/thread-self/ns/net'

/**
 * The thread could not return to its own namespace. The process must exit, because everything that the thread would
 * open would be in the wrong namespace.
 */
export class NetnsReturnError extends Error {
  readonly exitCode = EXIT_RUNTIME

  constructor(path: string, cause: unknown) {
    super(`cannot leave the network namespace ${path}; the process cannot continue`, { cause })
    this.name = 'NetnsReturnError'
  }
}

/** The path refers to another namespace than before: its process ended and the pid was reused. */
export class NetnsChangedError extends Error {
  constructor(path: string) {
    super(`${path} now refers to another network namespace`)
    this.name = 'NetnsChangedError'
  }
}

/** Inode number of the calling thread's network namespace, which identifies it while it exists. */
export function ownNetns(): number {
  try {
    return statSync(OWN_NAMESPACE).ino
  } catch (error) {
    throw runtimeError('the proc filesystem is not mounted at /proc', {
      hint: 'Capturing live needs it. Mount it: `mount -t proc proc /proc`.',
      cause: error,
    })
  }
}

/**
 * Runs `work` in a network namespace. Sockets that it opens stay in the namespace. It must not await anything, because
 * other code on this thread would then run in that namespace, too.
 *
 * @param path such as `/proc/<pid>/ns/net` or `/run/netns/<name>`
 * @param inode expected inode of the namespace; null: any
 * @throws SystemError EPERM without CAP_SYS_ADMIN; the error of opening `path`; NetnsChangedError, without having entered
 *   the namespace; any error of `work`; NetnsReturnError, which must end the process
 */
export function withNetns<T>(
  path: string,
  work: () => T extends PromiseLike<unknown> ? never : T,
  inode: number | null = null,
): T {
  const home = openSync(OWN_NAMESPACE, 'r')
  try {
    const target = openSync(path, 'r')
    try {
      // The inode of the open descriptor, because the path may refer to another namespace by now.
      if (inode !== null && fstatSync(target).ino !== inode) throw new NetnsChangedError(path)
      setns(target, CLONE_NEWNET)
    } finally {
      closeSync(target)
    }
    try {
      return work()
    } finally {
      returnTo(home, path)
    }
  } finally {
    closeSync(home)
  }
}

function returnTo(home: number, path: string): void {
  try {
    setns(home, CLONE_NEWNET)
  } catch (error) {
    throw new NetnsReturnError(path, error)
  }
}
