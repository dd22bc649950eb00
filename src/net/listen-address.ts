/** Addresses that the user chooses for a server: parses them, listens on them, and describes why that is not possible. */
import type { AddressInfo, Server } from 'node:net'
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

/**
 * @param address `host:port`, `[v6]:port`, `:port`; empty: nowhere
 * @throws InterceptorError (EXIT_USAGE) when it is none of these
 */
export function parseListenAddress(address: string, { name, example }: ListenSetting): ListenAddress | null {
  if (address === '') return null
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]*)):(\d{1,5})$/.exec(address)
  const port = Number(match?.[3])
  if (match === null || port > 65535) {
    throw usageError(`${name}: ${address} is not host:port with a port up to 65535, such as ${example}`)
  }
  return { host: match[1] || match[2] || undefined, port }
}

/**
 * Makes a server of node:net or node:http listen.
 *
 * @returns its URL, with the port that the system chose for port 0: `http://127.0.0.1:9464`
 * @throws InterceptorError that names the setting
 */
export function listenOn(server: Server, { host, port }: ListenAddress, setting: ListenSetting): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(listenError({ host, port }, error, setting))
    server.once('error', fail)
    server.listen({ port, host }, () => {
      server.off('error', fail)
      const { address, port } = server.address() as AddressInfo
      resolve(httpUrl(address, port))
    })
  })
}

/** @param host a name or an address, without brackets */
export const httpUrl = (host: string, port: number): string => `http://${hostAndPort(host, port)}`

const hostAndPort = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

function listenError(
  { host = '', port }: ListenAddress,
  error: NodeJS.ErrnoException,
  { name, hint }: ListenSetting,
): InterceptorError {
  const address = hostAndPort(host, port)
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
