/** Creates the configured sink. */
import type { Log } from '../log/folded-log.ts'
import type { BatchStore } from './left-pairs.ts'
import { shipClock } from './ship-clock.ts'
import type { Sink, SinkContext } from './sink.ts'
import { NoneSink } from './sinks/none-sink.ts'
import type { PostSinkOptions } from './sinks/post-sink.ts'
import type { StreamSink } from './sinks/stream-sink.ts'
import type { OutputProgress } from './status.ts'
import type { SinkSpec, StreamSinkSpec } from './worker-data.ts'

export interface SinkParts {
  context: SinkContext
  log: Log
  progress: OutputProgress
  /** Used by the Kafka sink only. */
  batches: BatchStore
  post: PostSinkOptions['post']
  /** Whether a failing output is retried while pairs wait; otherwise its failure ends the run. */
  retries: boolean
}

/**
 * Loads what the sink needs and no other does: the formats cost 20 ms, kafkajs 60 ms and 15 MB.
 *
 * @throws InterceptorError when the output cannot be opened or the settings cannot work
 */
export async function createSink(spec: SinkSpec, parts: SinkParts): Promise<Sink> {
  const { context } = parts
  switch (spec.kind) {
    case 'none':
      return new NoneSink(context)
    case 'post': {
      const { PostSink } = await import('./sinks/post-sink.ts')
      return new PostSink({ context, consumed: spec.consumed, post: parts.post })
    }
    case 'stream':
      return streamSink(spec, parts)
    case 'kafka': {
      const { KafkaSink } = await import('./kafka/kafka-sink.ts')
      return new KafkaSink({ ...parts, spec, clock: shipClock })
    }
  }
}

async function streamSink(spec: StreamSinkSpec, parts: SinkParts): Promise<StreamSink> {
  const { progress } = parts
  const { createFormat } = await import('../format/create-format.ts')
  const { OutputFile } = await import('../output/output-file.ts')
  const { StreamSink } = await import('./sinks/stream-sink.ts')
  const output = new OutputFile(spec, progress.begun ? progress.bytes : null)
  return new StreamSink({ ...parts, output, format: createFormat(spec.format, spec.formatOptions) })
}
