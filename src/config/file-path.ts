/** Which configuration file is read. Without the schema library, so that a watcher of the file can ask too. */

/** Names the configuration file; no key of its own. */
export const CONFIG_FILE_VARIABLE = 'INTERCEPTOR_CONFIG'

/**
 * @param named by `--config`
 * @param env   absent: this process's
 * @returns undefined: there is none
 */
export const configFilePath = (named: string | undefined, env: NodeJS.ProcessEnv = process.env): string | undefined =>
  named ?? (env[CONFIG_FILE_VARIABLE] || undefined)
