/** Chooses a source of live capture that works on this host. Main thread. */
import { createRequire } from 'node:module'
import { EXIT_PRIVILEGE, InterceptorError, runtimeError } from '../errors.ts'
import { probeAfPacket } from './af-packet/bare-socket.ts'

export type LiveSource = 'af-packet' | 'cap'

/**
 * Returns the configured source; for `auto` the first that works, AF_PACKET before cap.
 *
 * @throws InterceptorError: EXIT_PRIVILEGE when only privileges are missing, which cap needs as well; EXIT_RUNTIME when
 *   neither source works
 */
export function chooseSource(wanted: 'auto' | LiveSource): LiveSource {
  if (wanted === 'cap') {
    requireCap()
    return 'cap'
  }
  try {
    probeAfPacket()
    return 'af-packet'
  } catch (error) {
    if (wanted === 'af-packet' || (error instanceof InterceptorError && error.exitCode === EXIT_PRIVILEGE)) throw error
    requireCap()
    return 'cap'
  }
}

/**
 * Checks that the optional package `cap` is installed and built.
 *
 * @throws InterceptorError (EXIT_RUNTIME) with a hint how to install it
 */
export function requireCap(): void {
  try {
    createRequire(import.meta.url)('cap')
  } catch (error) {
    throw runtimeError('capturing through libpcap needs the package cap, which is not installed or not built', {
      hint: 'Install libpcap with its headers (Debian: libpcap-dev) and a C++ compiler, then run npm install cap.',
      cause: error,
    })
  }
}
