/**
 * Prints pairs read back from a Kafka topic, in any output format. Runs on the main thread, without workers.
 *
 * Records that are not pairs are skipped and counted, never an error: a topic may have other producers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { InterceptorError, runtimeError } from '../errors.ts'
import type { KafkaSettings } from '../kafka/client.ts'
import { diagnose } from '../kafka/diagnosis.ts'
import { failureText, kafkaFailureOf } from '../kafka/errors.ts'
import type { TopicRecord } from '../kafka/kafkajs-wire.ts'
import { retryBackoff, retryDelay } from '../kafka/retry.ts'
import type { Logger } from '../log/logger.ts'
import { type Printed, Printer, type PrinterOptions } from './printer.ts'
import { type TailRange, TopicReader } from './topic-reader.ts'

/** Failures in a row after which reading a topic to its end gives up. Following a topic retries forever. */
const MAX_FAILURES = 5
/** Attempts to open a topic on a cluster that is still settling: some nine seconds. */
const MAX_OPENINGS = 9

export interface TailOptions extends PrinterOptions {
  kafka: KafkaSettings
  range: TailRange
  /** At the end, wait for more records until aborted. */
  follow: boolean
  log: Logger
  /** Called once, when `follow` waits at the end of the topic. */
  onWait: () => void
}

/**
 * Reads and prints until the topic's end, the limit, the abort, or until the reader of the output closes it.
 *
 * @throws InterceptorError when the topic cannot be read or the output cannot be written
 */
export async function tail(options: TailOptions): Promise<Printed> {
  const printer = new Printer(options)
  let reader = await openReader(options)
  // A group's last offsets are committed first; a read without records ends by itself.
  const abort = (): void => (options.range.group === null ? reader.close() : undefined)
  options.signal.addEventListener('abort', abort, { once: true })
  try {
    printer.begin()
    let waits = false
    const backoff = retryBackoff()
    let openedMs = performance.now()
    for (let failures = 0; !printer.done && !options.signal.aborted; ) {
      if (options.follow && !waits && reader.atEnd) {
        waits = true
        options.onWait()
      }
      try {
        const records = await reader.read()
        const printed = await printer.print(records.map(pairOf))
        await reader.commit(records.slice(0, printed), records.slice(printed))
        if (!options.follow && reader.atEnd) break
        failures = 0
        backoff.worked(performance.now() - openedMs)
      } catch (error) {
        if (options.signal.aborted) break
        failures += 1
        reader = await reopen(reader, error, { failures, delayMs: backoff.next() }, options)
        openedMs = performance.now()
      }
    }
    await printer.end()
  } finally {
    options.signal.removeEventListener('abort', abort)
    reader.close()
  }
  return printer.result
}

const readerFor = ({ kafka, log }: TailOptions): TopicReader =>
  new TopicReader(kafka, (message) => log.debug(`kafkajs: ${message}`))

async function openReader(options: TailOptions): Promise<TopicReader> {
  for (let failures = 1; ; failures += 1) {
    const reader = readerFor(options)
    try {
      await reader.open(options.range)
      return reader
    } catch (error) {
      reader.close()
      if (failures === MAX_OPENINGS || !isPassing(error)) throw cannotRead(error, options.kafka, reader)
    }
    await sleep(retryDelay(failures))
  }
}

/** Whether a retry may succeed: a cluster does not know the leaders of a new topic, or the coordinator of a group, at once. */
const isPassing = (error: unknown): boolean => ['staleMetadata', 'temporary'].includes(kafkaFailureOf(error))

/** Replaces a reader that failed, after a delay. The new one connects at its first read. */
async function reopen(
  failed: TopicReader,
  error: unknown,
  { failures, delayMs }: { failures: number; delayMs: number },
  options: TailOptions,
): Promise<TopicReader> {
  const { kafka, log, signal, follow } = options
  if (error instanceof InterceptorError) throw error
  if (!follow && failures >= MAX_FAILURES) throw cannotRead(error, kafka, failed)
  log.warn(`cannot read from Kafka, retrying: ${failureText(error)}`)
  failed.close()
  await sleep(delayMs, undefined, { signal }).catch(() => {})
  const reader = readerFor(options)
  reader.resume(failed)
  return reader
}

function cannotRead(error: unknown, kafka: KafkaSettings, { reached }: TopicReader): InterceptorError {
  if (error instanceof InterceptorError) return error
  const { topic, brokers } = kafka
  const { failure, text, hint } = diagnose(error, kafka, reached)
  if (failure === 'missingTopic') {
    return runtimeError(`there is no topic ${topic} at ${brokers.join(', ')}`, { cause: error })
  }
  const message = `cannot read the topic ${topic} at ${brokers.join(', ')}: ${text}`
  const steps = [...(hint === null ? [] : [hint]), 'run interceptor doctor with the same options']
  const advice = steps.join('; ')
  return runtimeError(message, { cause: error, hint: `${advice[0].toUpperCase()}${advice.slice(1)}.` })
}

/** @returns null if the record is not a pair */
const pairOf = ({ value, contentType }: TopicRecord): Uint8Array | null => (isOurs(contentType) ? value : null)

/** Records of other producers may lack the header: whether they are pairs shows when they are parsed. */
const isOurs = (contentType: string | null): boolean =>
  contentType === null || /^application\/(x-|vnd\.)?(msgpack|json)\b/i.test(contentType)
