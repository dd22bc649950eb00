/** The token of the printed address. It leaves the address bar at once, and is kept for this tab and this port alone. */

const KEY = 'token'

/** @returns the token; empty: there is none */
export function readToken(): string {
  const [, given] = /^#token=([\w-]+)$/.exec(location.hash) ?? []
  if (given !== undefined) {
    sessionStorage.setItem(KEY, given)
    history.replaceState(null, '', '#/pairs')
  }
  return sessionStorage.getItem(KEY) ?? ''
}
