/**
 * Authorizes requests for the page's data: each needs the token of the printed address, and a Host field that no other
 * site can cause.
 *
 * The token is in the fragment of the address, which a browser never sends; the page sends it in Authorization. A
 * cookie would be weaker: other pages can make a browser send it, and all ports of a host share it.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'

/** 192 random bits, encoded in characters that URLs permit. */
export const newToken = (): string => randomBytes(24).toString('base64url')

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Creates the check of an Authorization field. Its time does not depend on how much of the token the field matches. */
export function tokenCheck(token: string): (authorization: string | undefined) => boolean {
  const expected = digest(`Bearer ${token}`)
  return (authorization) => timingSafeEqual(digest(authorization ?? ''), expected)
}

/**
 * Whether a Host field is an address or localhost, which another site's name cannot be: this rejects names that a
 * foreign DNS server resolves to a loopback address (DNS rebinding).
 *
 * @param listenHost the name of `--listen`, which is accepted too
 */
export function isOwnHost(host: string | undefined, listenHost: string): boolean {
  const name = (host ?? '').replace(/:\d{1,5}$/, '').toLowerCase()
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
  return bare === 'localhost' || isIP(bare) !== 0 || (bare !== '' && bare === listenHost.toLowerCase())
}

/** Whether only this machine can connect to a listen address. undefined: all addresses. */
export const isLoopback = (host: string | undefined): boolean =>
  host !== undefined && /^(?:localhost|::1|127(?:\.\d{1,3}){3}|::ffff:127(?:\.\d{1,3}){3})$/i.test(host)
