/** Reads capture files one after another, in the order given, as one continuous capture. */

import type { Doorbell } from '../../ring/doorbell.ts'
import type { Control } from '../../thread/control.ts'
import type { FileSource, FromWorker } from '../../thread/messages.ts'
import type { FrameSink } from '../frame-sink.ts'
import { InterfaceNames } from './interface-names.ts'
import { Reading } from './reading.ts'

/** What reading files needs from its worker. */
export interface FileSourceContext {
  sink: FrameSink
  control: Control
  /** This thread's doorbell, rung when the command changed. */
  bell: Doorbell
  post(message: FromWorker): void
}

/**
 * Reads all files of `source` into the sink, until their end or a command.
 *
 * @throws InterceptorError when a file cannot be opened; the files before it have been read
 */
export async function readFiles(source: FileSource, context: FileSourceContext): Promise<void> {
  const interfaces = new InterfaceNames(context.sink)
  for (const [index, path] of source.paths.entries()) {
    if (!context.control.running) return
    const follow = source.follow && index === source.paths.length - 1
    await new Reading(path, context, interfaces).run(follow)
  }
}
