/**
 * Who may read the page's data: a request with the token of the printed address, and with a Host field that no other site
 * can cause.
 *
 * The token is in the fragment of the address, which a browser never sends; the page sends it in Authorization. So no other
 * page can make a browser send it, as it could a cookie, which moreover belongs to all ports of a host.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'

/** 192 bits, in the characters of URLs. */
export const newToken = (): string => randomBytes(24).toString('base64url')

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Creates the check of an Authorization field. Its time does not depend on how much of the token the field matches. */
export function tokenCheck(token: string): (authorization: string | undefined) => boolean {
  const expected = digest(`Bearer ${token}`)
  return (authorization) => timingSafeEqual(digest(authorization ?? ''), expected)
}

/**
 * Whether a Host field names this machine in a way that another site's name cannot: by an address, or as localhost. A name
 * that a foreign DNS server resolves to a loopback address (DNS rebinding) is neither.
 *
 * @param listenHost the name of `--listen`, which is accepted too
 */
export function isOwnHost(host: string | undefined, listenHost: string): boolean {
  const name = (host ?? '').replace(/:\d{1,5}$/, '').toLowerCase()
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
  return bare === 'localhost' || isIP(bare) !== 0 || (bare !== '' && bare === listenHost.toLowerCase())
}

/** Whether only this machine can connect to an address to listen on. undefined: all addresses. */
export const isLoopback = (host: string | undefined): boolean =>
  host !== undefined && /^(?:localhost|::1|127(?:\.\d{1,3}){3}|::ffff:127(?:\.\d{1,3}){3})$/i.test(host)
