/** The error of a missing capability, which every source of live capture needs. */
import { type InterceptorError, privilegeError } from '../errors.ts'

/** @param detail the system's or libpcap's words; absent: none */
export function captureDenied({ detail, cause }: { detail?: string; cause?: unknown }): InterceptorError {
  const message = 'capturing needs the capability CAP_NET_RAW'
  return privilegeError(detail === undefined ? message : `${message}: ${detail}`, {
    hint: `Run as root, or once: sudo setcap cap_net_raw+ep "$(readlink -f ${process.execPath})"; in Kubernetes, add NET_RAW to securityContext.capabilities.`,
    cause,
  })
}
