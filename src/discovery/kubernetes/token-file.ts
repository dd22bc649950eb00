/** How @kubernetes/client-node writes down that a user's token is in a file, which its FileAuth reads anew each minute. */
import type { User } from '@kubernetes/client-node/dist/config_types.js'
import { asObject, type JsonObject, objectAt, textAt } from './json.ts'

/** A user's `authProvider` for a token in a file. */
export const tokenFileProvider = (path: string): JsonObject => ({ name: 'tokenFile', config: { tokenFile: path } })

/** The file with the user's token; null: it is in none. */
export const tokenFileOf = (user: User): string | null =>
  textAt(objectAt(asObject(user.authProvider), 'config'), 'tokenFile') || null
