/** The token of the printed address. It is removed from the address bar at once, and kept for this tab and this port only. */

const KEY = 'token'

/** @returns the token; empty: the address has none */
export function readToken(): string {
  const [, given] = /^#token=([\w-]+)$/.exec(location.hash) ?? []
  if (given !== undefined) {
    sessionStorage.setItem(KEY, given)
    history.replaceState(null, '', '#/pairs')
  }
  return sessionStorage.getItem(KEY) ?? ''
}
