#!/usr/bin/env node
/**
 * The program. Only this module ends the process.
 *
 * It imports nothing before it can catch an error: loading another file may need more descriptors than the process is
 * allowed, and then the module that words such errors (errors.ts) cannot be loaded either.
 */
try {
  const { launch } = await import('./launch.ts')
  process.exit(await launch(process.argv.slice(2)))
} catch (error) {
  const code = /^EMFILE$|^ENFILE$/.exec(String((error as NodeJS.ErrnoException).code))
  if (code === null) throw error
  process.stderr.write(`interceptor: no more files may be opened (${code[0]})\n`)
  process.stderr.write('Raise the limit of file descriptors, as with `ulimit -n 4096`.\n')
  process.exit(1)
}
