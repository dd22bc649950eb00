/** Reads capture files one after another, in the order given, as one continuous capture. */

import type { FrameSink } from '../frame-sink.ts'
import type { FileSource } from '../worker-data.ts'
import { type FileContext, FileInput } from './file-input.ts'

/** Interfaces with an id of their own; the packets of any beyond these count as the file's, then as the first interface's. */
const MAX_INTERFACES = 1024

/**
 * Reads all files of `source` into the sink, until their end or a command.
 *
 * @throws InterceptorError when a file cannot be opened; the files before it have been read
 */
export async function readFiles(source: FileSource, context: FileContext): Promise<void> {
  const interfaces = new InterfaceNames(context.sink)
  for (const [index, path] of source.paths.entries()) {
    if (!context.control.running) return
    const follow = source.follow && index === source.paths.length - 1
    const interfaceId = (name: string, fallback: string): number => interfaces.idOf(name, fallback)
    await new FileInput(path, context, interfaceId).run(follow)
  }
}

/** Interfaces by name, over all files of a run: rotated captures of one interface stay one interface. */
class InterfaceNames {
  readonly #ids = new Map<string, number>()
  readonly #sink: FrameSink

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** @returns the id of `name`, announced to the sink at its first use; of `fallback` where there are too many */
  idOf(name: string, fallback: string): number {
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    const id = this.#ids.size
    if (id >= MAX_INTERFACES) return this.#ids.get(fallback) ?? 0
    this.#ids.set(name, id)
    this.#sink.addInterface(id, { name, vantage: 'file', mesh: null, domain: 0, vantagePoint: null })
    return id
  }
}
