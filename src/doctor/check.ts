/** One thing the doctor looked at, and how to mend it. */

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
  readonly mend: string | null
}

/** A check that passed. */
export const ok = (name: string, found: string): Check => ({ name, state: 'ok', found, mend: null })

/** A check that passed with a restriction. */
export const warning = (name: string, found: string, mend: string): Check => ({ name, state: 'warning', found, mend })

/** A check that failed. */
export const failed = (name: string, found: string, mend: string): Check => ({ name, state: 'failed', found, mend })

/** A check that failed for want of a privilege. */
export const privilege = (name: string, found: string, mend: string): Check => ({
  name,
  state: 'privilege',
  found,
  mend,
})

/** A check that was left out. */
export const skipped = (name: string, found: string): Check => ({ name, state: 'skipped', found, mend: null })
