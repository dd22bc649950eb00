/** Makes the sink a shipper was configured with. */
import { openSync } from 'node:fs'
import { fileErrorText, runtimeError } from '../errors.ts'
import { createFormat } from '../format/create-format.ts'
import type { Log } from '../log/folded-log.ts'
import { FdOutput } from '../output/fd-output.ts'
import { shipClock } from './ship-clock.ts'
import type { Sink, SinkContext } from './sink.ts'
import { NoneSink } from './sinks/none-sink.ts'
import { StreamSink } from './sinks/stream-sink.ts'
import type { SinkSpec, StreamSinkSpec } from './worker-data.ts'

const STDOUT = 1

/**
 * @param beat called while a synchronous sink waits for its reader
 * @throws InterceptorError when the output cannot be opened or the settings cannot work
 */
export async function createSink(spec: SinkSpec, context: SinkContext, log: Log, beat: () => void): Promise<Sink> {
  switch (spec.kind) {
    case 'none':
      return new NoneSink(context)
    case 'stream':
      return new StreamSink(new FdOutput(open(spec), beat), createFormat(spec.format, spec.formatOptions), context, log)
    case 'kafka': {
      // Loaded only where it is used: kafkajs takes 60 ms and 15 MB.
      const { KafkaSink } = await import('./kafka/kafka-sink.ts')
      return new KafkaSink(spec, context, log, shipClock)
    }
  }
}

function open(spec: StreamSinkSpec): number {
  if (spec.path === null) return STDOUT
  try {
    return openSync(spec.path, spec.append ? 'a' : 'w')
  } catch (error) {
    throw runtimeError(`cannot write ${spec.path}: ${fileErrorText(error)}`, { cause: error })
  }
}
