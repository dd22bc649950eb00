/** Work inside another network namespace (setns(2), network_namespaces(7)), on the calling thread, synchronously. */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { runtimeError } from '../errors.ts'
import { setns } from './libc.ts'

const CLONE_NEWNET = 0x40000000
/** /proc/self is the main thread's, whoever asks. */
const OWN_NAMESPACE = '/proc/thread-self/ns/net'

/**
 * The thread could not return to its own namespace: everything it opened from here on would be in the wrong place, so
 * the process has to end.
 */
export class NetnsReturnError extends Error {
  readonly exitCode = 1

  constructor(path: string, cause: unknown) {
    super(`cannot leave the network namespace ${path}; the process cannot go on`, { cause })
    this.name = 'NetnsReturnError'
  }
}

/** The path leads to another namespace than before: its process ended, and the pid was reused. */
export class NetnsChangedError extends Error {
  constructor(path: string) {
    super(`${path} is another network namespace by now`)
    this.name = 'NetnsChangedError'
  }
}

/** Inode number of the calling thread's network namespace: identifies it while it exists. */
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
 * Runs `work` in a network namespace. What it opens stays there; it must not await anything, since whatever else runs on
 * this thread meanwhile would be in that namespace too.
 *
 * @param path such as `/proc/<pid>/ns/net` or `/run/netns/<name>`
 * @param inode of the namespace meant; null: whichever is there
 * @throws SystemError EPERM without CAP_SYS_ADMIN; the error of opening `path`; NetnsChangedError, with nothing entered;
 *   whatever `work` throws; NetnsReturnError, which must end the process
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
      // Of the descriptor, which is what will be entered, whatever becomes of the path.
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
