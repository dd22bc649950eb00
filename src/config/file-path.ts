/** Finds the configuration file. Separate from the schema, because the reload watcher does not load the schema library. */

/** Environment variable that names the configuration file. */
export const CONFIG_FILE_VARIABLE = 'INTERCEPTOR_CONFIG'

/**
 * Finds the configuration file.
 *
 * @param named  value of `--config`
 * @param env  default: the environment of this process
 * @returns its path; undefined: there is none
 */
export const configFilePath = (named: string | undefined, env: NodeJS.ProcessEnv = process.env): string | undefined =>
  named ?? (env[CONFIG_FILE_VARIABLE] || undefined)
