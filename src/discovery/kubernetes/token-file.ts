/** @kubernetes/client-node's notation for a user's token in a file, which its FileAuth reads again every minute. */
import type { User } from '@kubernetes/client-node/dist/config_types.js'
import { asObject, type JsonObject, objectAt, textAt } from './json.ts'

/** The `authProvider` of a user whose token is in a file. */
export const tokenFileProvider = (path: string): JsonObject => ({ name: 'tokenFile', config: { tokenFile: path } })

/** The file with the user's token; null: the user has no token file. */
export const tokenFileOf = (user: User): string | null =>
  textAt(objectAt(asObject(user.authProvider), 'config'), 'tokenFile') || null
