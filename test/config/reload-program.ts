/** A program that reloads its configuration file as the agent does and prints each step as a line of JSON. */

import { effectiveConfig } from '../../src/config/effective.ts'
import { ConfigReloader } from '../../src/config/reload-watcher.ts'
import { createLogger } from '../../src/log/logger.ts'

const print = (line: string): void => void process.stdout.write(line)
const [file, pollMs] = process.argv.slice(2)
const load = () => effectiveConfig({ file }, { apart: true })
const loaded = await load()
const log = createLogger({ level: loaded.config.log.level, form: 'json', foldMs: 0, write: print })
const reloader = new ConfigReloader({
  loaded,
  file,
  load,
  apply: ({ log: { level } }) => log.setLevel(level),
  log,
  pollMs: Number(pollMs),
})
reloader.start()
log.error('started')
process.stdin.resume().on('end', () => reloader.stop())
