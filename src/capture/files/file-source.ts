/** Reads capture files one after another, in the order given, as one continuous capture. */

import type { FrameSink } from '../frame-sink.ts'
import type { FileSource } from '../worker-data.ts'
import { type FileContext, FileInput } from './file-input.ts'

/** Limit of interfaces. Packets of further ones are attributed to the file's own interface, else to the first one. */
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

/** Interface ids by name, over all files of a run, so that rotated captures of one interface share its id. */
class InterfaceNames {
  readonly #ids = new Map<string, number>()
  readonly #sink: FrameSink

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** @returns the id of `name`, announced to the sink at its first use; over the limit, the id of `fallback` */
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
