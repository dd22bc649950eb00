/** The result of one check of the doctor. */

/** The result of one check. */
export interface Check {
  /** What was checked, in a few words: `packet sockets`. */
  readonly name: string
  /**
   * `ok`: passed. `failed`: capture or shipping cannot work. `privilege`: failed for lack of a capability or another
   * privilege. `warning`: works, with a restriction. `skipped`: not configured, or not applicable.
   */
  readonly state: 'ok' | 'failed' | 'privilege' | 'warning' | 'skipped'
  /** What was found: `kernel 6.8, CAP_NET_RAW`. One line. */
  readonly found: string
  /** What the user can do about it, as one sentence or a command; null: nothing. */
  readonly hint: string | null
}

/** A check that passed. */
export const ok = (name: string, found: string): Check => ({ name, state: 'ok', found, hint: null })

/** A check that passed with a restriction. */
export const warning = (name: string, found: string, hint: string): Check => ({ name, state: 'warning', found, hint })

/** A check that failed. */
export const failed = (name: string, found: string, hint: string): Check => ({ name, state: 'failed', found, hint })

/** A check that failed for lack of a privilege. */
export const privilege = (name: string, found: string, hint: string): Check => ({
  name,
  state: 'privilege',
  found,
  hint,
})

/** A check that was skipped. */
export const skipped = (name: string, found: string): Check => ({ name, state: 'skipped', found, hint: null })
