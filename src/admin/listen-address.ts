/** Parses `admin.address` and `ui --listen`, and describes why a server cannot listen there. Pure. */
import { errorText, type InterceptorError, privilegeError, runtimeError, usageError } from '../errors.ts'

/** The address in the form that node:net expects. */
export interface ListenAddress {
  /** undefined: all addresses of this machine. */
  readonly host: string | undefined
  readonly port: number
}

/** The setting that contains an address, for messages. */
export interface ListenSetting {
  readonly name: string
  readonly example: string
  /** What the user can do if the address cannot be used. */
  readonly hint: string
}

const ADMIN_ADDRESS: ListenSetting = {
  name: 'admin.address',
  example: '127.0.0.1:9464',
  hint: 'Set admin.address to another address, or leave it empty to disable metrics and health.',
}

/**
 * @param address `host:port`, `[v6]:port`, `:port`; empty: nowhere
 * @throws InterceptorError (EXIT_USAGE) when it is none of these
 */
export function parseListenAddress(
  address: string,
  { name, example }: ListenSetting = ADMIN_ADDRESS,
): ListenAddress | null {
  if (address === '') return null
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]*)):(\d{1,5})$/.exec(address)
  const port = Number(match?.[3])
  if (match === null || port > 65535) {
    throw usageError(`${name}: ${address} is not host:port with a port up to 65535, such as ${example}`)
  }
  return { host: match[1] || match[2] || undefined, port }
}

/** Describes the error, with a hint. */
export function listenError(
  address: string,
  error: NodeJS.ErrnoException,
  { name, hint }: ListenSetting = ADMIN_ADDRESS,
): InterceptorError {
  const details = { cause: error, hint }
  switch (error.code) {
    case 'EADDRINUSE':
      return runtimeError(`${name}: ${address} is in use by another program`, details)
    case 'EACCES':
      return privilegeError(`${name}: ${address} needs the capability NET_BIND_SERVICE`, details)
    case 'EADDRNOTAVAIL':
      return usageError(`${name}: ${address} is not an address of this machine`, details)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return usageError(`${name}: the host of ${address} cannot be resolved`, details)
    default:
      return runtimeError(`${name}: cannot listen on ${address}: ${errorText(error)}`, details)
  }
}
