/** The command line of the development commands: `npm run bench`, `load`, `soak`, `kills` and `fuzz`. */

/** Exit code for a wrong argument, as of the program itself. */
const EXIT_USAGE = 2

/**
 * Ends the process where there is nothing to run: `--help` prints the help and ends with 0; a wrong argument prints one
 * line and ends with 2.
 *
 * @param help its first line is "Usage: COMMAND …"
 * @param read reads the options. @throws Error naming the argument that is wrong
 */
export function commandLine<T>(help: string, args: readonly string[], read: (args: string[]) => T): T {
  if (args.includes('--help')) {
    process.stdout.write(help)
    process.exit(0)
  }
  try {
    return read([...args])
  } catch (error) {
    const [first = ''] = String(error instanceof Error ? error.message : error).split('. ')
    process.stderr.write(`${first}. --help lists the options\n`)
    process.exit(EXIT_USAGE)
  }
}

/** @throws Error naming the option whose text is not a number over 0 */
export function positive(option: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`${option} ${text}: a number over 0 is needed`)
  return value
}

/** @throws Error naming the option whose text is not a whole number from 0 on */
export function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`${option} ${text}: a whole number is needed`)
  return Number(text)
}
