/** Makes the sink a shipper was configured with. */
import { openSync } from 'node:fs'
import { createFormat } from '../format/format.ts'
import type { FoldedLog } from './folded-log.ts'
import type { Sink, SinkContext } from './sink.ts'
import { FdOutput } from './sinks/fd-output.ts'
import { NoneSink } from './sinks/none-sink.ts'
import { StreamSink } from './sinks/stream-sink.ts'
import type { SinkSpec, StreamSinkSpec } from './worker-data.ts'

const STDOUT = 1

/**
 * @param beat called while a synchronous sink waits for its reader
 * @throws when the output cannot be opened; the message names it
 */
export function createSink(spec: SinkSpec, context: SinkContext, log: FoldedLog, beat: () => void): Sink {
  switch (spec.kind) {
    case 'none':
      return new NoneSink(context)
    case 'stream':
      return new StreamSink(new FdOutput(open(spec), beat), createFormat(spec.format, spec.formatOptions), context, log)
  }
}

function open(spec: StreamSinkSpec): number {
  if (spec.path === null) return STDOUT
  try {
    return openSync(spec.path, spec.append ? 'a' : 'w')
  } catch (error) {
    throw new Error(`cannot open the output: ${(error as Error).message}`, { cause: error })
  }
}
