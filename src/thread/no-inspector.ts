/**
 * Keeps SIGUSR1 from opening the Node.js inspector, which would let anyone who reaches port 9229 of the host run code
 * in this process. Import it before anything else. The option `--disable-sigusr1` of Node.js 22.14 and later does the
 * same from the start of Node.js on; without it, a signal that arrives before this module opens the inspector, which is
 * then closed.
 */
import { close, url } from 'node:inspector'

/** A signal that arrived before this module was loaded takes effect within this time. */
const EARLY_MS = 1000
const CHECK_MS = 10

// A listener replaces the handler that Node.js installs at its start.
process.on('SIGUSR1', () => {})

// An inspector requested on the command line stays open.
if (!process.execArgv.some((arg) => arg.startsWith('--inspect'))) {
  closeInspector()
  const checking = setInterval(closeInspector, CHECK_MS).unref()
  setTimeout(() => clearInterval(checking), EARLY_MS).unref()
}

function closeInspector(): void {
  if (url() !== undefined) close()
}
