/** One thing the doctor looked at, and how to fix it. */

/** What a check found. */
export interface Check {
  /** What was looked at, in a few words: `packet sockets`. */
  readonly name: string
  /**
   * `ok`: there. `failed`: missing, and capture or shipping cannot work. `privilege`: missing, and a capability or
   * user right mends it. `warning`: works, with a restriction. `skipped`: not asked for, or cannot be told.
   */
  readonly state: 'ok' | 'failed' | 'privilege' | 'warning' | 'skipped'
  /** What was found: `kernel 6.8, CAP_NET_RAW`. One line. */
  readonly found: string
  /** What the user can do about it, as one sentence or a command; null where nothing is to be done. */
  readonly hint: string | null
}

/** A check that passed. */
export const ok = (name: string, found: string): Check => ({ name, state: 'ok', found, hint: null })

/** A check that passed with a restriction. */
export const warning = (name: string, found: string, hint: string): Check => ({ name, state: 'warning', found, hint })

/** A check that failed. */
export const failed = (name: string, found: string, hint: string): Check => ({ name, state: 'failed', found, hint })

/** A check that failed for want of a privilege. */
export const privilege = (name: string, found: string, hint: string): Check => ({
  name,
  state: 'privilege',
  found,
  hint,
})

/** A check that was left out. */
export const skipped = (name: string, found: string): Check => ({ name, state: 'skipped', found, hint: null })
