/** Where the admin server listens, as `admin.address` says. Pure. */
import { type InterceptorError, privilegeError, runtimeError, usageError } from '../errors.ts'

/** For node:net. */
export interface ListenAddress {
  /** undefined: every address of the machine. */
  readonly host: string | undefined
  readonly port: number
}

/**
 * @param address `host:port`, `[v6]:port`, `:port`; empty: nowhere
 * @throws InterceptorError with exit code 2 when it is none of these
 */
export function parseListenAddress(address: string): ListenAddress | null {
  if (address === '') return null
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]*)):(\d{1,5})$/.exec(address)
  const port = Number(match?.[3])
  if (match === null || port > 65535) {
    throw usageError(`admin.address: ${address} is not host:port with a port up to 65535, such as 127.0.0.1:9464`)
  }
  return { host: match[1] || match[2] || undefined, port }
}

/** Why it cannot listen there, with the mend. */
export function listenError(address: string, error: NodeJS.ErrnoException): InterceptorError {
  const details = {
    cause: error,
    hint: 'Set admin.address to another one, or to nothing to serve neither metrics nor health.',
  }
  switch (error.code) {
    case 'EADDRINUSE':
      return runtimeError(`admin.address: ${address} is taken by another program`, details)
    case 'EACCES':
      return privilegeError(`admin.address: ${address} needs the capability NET_BIND_SERVICE`, details)
    case 'EADDRNOTAVAIL':
      return usageError(`admin.address: ${address} is no address of this machine`, details)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return usageError(`admin.address: the host of ${address} is not known`, details)
    default:
      return runtimeError(`admin.address: cannot listen on ${address}: ${error.message}`, details)
  }
}
