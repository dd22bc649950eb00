/** The keys of `interceptor top`. Main thread: they change a TopView, which the thread that draws the table reads. */
import type { TopView } from '../format/top-view.ts'
import { GROUPINGS, SORT_KEYS } from '../routes/route-names.ts'

const CTRL_C = '\x03'
const ESCAPE = '\x1b'
const BACKSPACES = ['\x7f', '\b']
const ENTERS = ['\r', '\n']

/** Applies keys to a view. */
export class TopKeys {
  readonly #view: TopView
  readonly #quit: () => void
  /** Whether characters are added to the filter. */
  #typing = false

  constructor(view: TopView, quit: () => void) {
    this.#view = view
    this.#quit = quit
  }

  /** @param text what a terminal has sent: characters, or the escape sequence of one key */
  press(text: string): void {
    // Cursor keys and the like.
    if (text.length > 1 && text.startsWith(ESCAPE)) return
    for (const key of text) {
      if (key === CTRL_C) this.#quit()
      else if (this.#typing) this.#type(key)
      else this.#choose(key)
    }
  }

  #choose(key: string): void {
    const view = this.#view
    if (key === 'q') this.#quit()
    else if (key === 'g') view.by = after(GROUPINGS, view.by)
    else if (key === 's') view.sort = after(SORT_KEYS, view.sort)
    else if (key === 'p' || key === ' ') view.paused = !view.paused
    else if (key === ESCAPE) view.filter = ''
    else if (key === '/') {
      this.#typing = true
      view.filter = ''
    }
  }

  #type(key: string): void {
    const view = this.#view
    if (ENTERS.includes(key)) this.#typing = false
    else if (key === ESCAPE) {
      this.#typing = false
      view.filter = ''
    } else if (BACKSPACES.includes(key)) view.filter = view.filter.slice(0, -1)
    else if (key >= ' ') view.filter += key
  }
}

const after = <T>(list: readonly T[], item: T): T => list[(list.indexOf(item) + 1) % list.length]

/**
 * Reads keys from the terminal on standard input, and follows the size of the one on standard output.
 *
 * @returns a function that stops reading keys and restores the terminal
 */
export function watchTerminal(view: TopView): () => void {
  const { stdin, stdout } = process
  const keys = new TopKeys(view, () => process.kill(process.pid, 'SIGINT'))
  const press = (text: string): void => keys.press(text)
  const resize = (): void => view.resize(stdout.rows, stdout.columns)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8').on('data', press)
  stdout.on('resize', resize)
  return () => {
    stdin.off('data', press).pause().setRawMode(false)
    stdout.off('resize', resize)
  }
}
