/**
 * Prints pairs read back from a Kafka topic, in any output format. Runs on the main thread, without workers.
 *
 * Records that are not pairs are skipped and counted, never an error: a topic may have other producers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileErrorText, InterceptorError, runtimeError } from '../errors.ts'
import type { PairFormat } from '../format/output-format.ts'
import type { KafkaSettings } from '../kafka/client.ts'
import { diagnose } from '../kafka/diagnosis.ts'
import { failureText } from '../kafka/errors.ts'
import type { TopicRecord } from '../kafka/kafkajs-wire.ts'
import { retryDelay } from '../kafka/retry.ts'
import type { Logger } from '../log/logger.ts'
import type { FdOutput, WriteResult } from '../output/fd-output.ts'
import type { PairSelector } from '../select/selector.ts'
import { type TailRange, TopicReader } from './topic-reader.ts'

/** Failures in a row after which reading a topic to its end gives up. Following a topic retries forever. */
const MAX_FAILURES = 5
/** Between two attempts to write to a slow reader. */
const SLOW_READER_MS = 10

export interface TailOptions {
  kafka: KafkaSettings
  range: TailRange
  /** At the end, wait for more records until aborted. */
  follow: boolean
  /** Stop after this many pairs; null: never. */
  limit: number | null
  /** Which pairs are printed; null: all. */
  selector: PairSelector | null
  format: PairFormat
  output: FdOutput
  log: Logger
  /** Stops reading; what has been read is written. */
  signal: AbortSignal
  /** Called once, when `follow` waits at the end of the topic. */
  onWait: () => void
}

export interface TailResult {
  /** Pairs written. */
  pairs: number
  /** Records that are not pairs. */
  foreign: number
}

/**
 * Reads and prints until the topic's end, the limit, the abort, or until the reader of the output closes it.
 *
 * @throws InterceptorError when the topic cannot be read or the output cannot be written
 */
export async function tail(options: TailOptions): Promise<TailResult> {
  const printer = new Printer(options)
  let reader = await openReader(options)
  const abort = (): void => reader.close()
  options.signal.addEventListener('abort', abort, { once: true })
  try {
    printer.begin()
    let waits = false
    for (let failures = 0; !printer.done && !options.signal.aborted; ) {
      if (options.follow && !waits && reader.atEnd) {
        waits = true
        options.onWait()
      }
      try {
        await printer.print(await reader.read())
        if (!options.follow && reader.atEnd) break
        failures = 0
      } catch (error) {
        if (options.signal.aborted) break
        failures += 1
        reader = await reopen(reader, error, failures, options)
      }
    }
    await printer.end()
  } finally {
    options.signal.removeEventListener('abort', abort)
    reader.close()
  }
  return printer.result
}

async function openReader({ kafka, range, log }: TailOptions): Promise<TopicReader> {
  const reader = new TopicReader(kafka, (message) => log.debug(`kafkajs: ${message}`))
  try {
    await reader.open(range)
    return reader
  } catch (error) {
    reader.close()
    throw cannotRead(error, kafka, reader)
  }
}

/** Replaces a reader that failed, after a delay. The new one connects at its first read. */
async function reopen(
  failed: TopicReader,
  error: unknown,
  failures: number,
  options: TailOptions,
): Promise<TopicReader> {
  const { kafka, log, signal, follow } = options
  if (error instanceof InterceptorError) throw error
  if (!follow && failures >= MAX_FAILURES) throw cannotRead(error, kafka, failed)
  log.warn(`cannot read from Kafka, retrying: ${failureText(error)}`)
  failed.close()
  await sleep(retryDelay(failures), undefined, { signal }).catch(() => {})
  const reader = new TopicReader(kafka, (message) => log.debug(`kafkajs: ${message}`))
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

/** Formats and writes records. */
class Printer {
  readonly result: TailResult = { pairs: 0, foreign: 0 }
  /** The limit is reached, or the reader has closed the output. */
  done = false
  readonly #options: TailOptions

  constructor(options: TailOptions) {
    this.#options = options
  }

  begin(): void {
    this.#check(this.#options.output.write(this.#options.format.begin()))
  }

  async print(records: readonly TopicRecord[]): Promise<void> {
    for (const record of records) {
      if (this.done) return
      this.#printRecord(record)
    }
    await this.#flush()
  }

  async end(): Promise<void> {
    const { format, output } = this.#options
    if (this.#check(output.write(format.end()))) await this.#flush()
  }

  /** Waits for a slow reader, until aborted. */
  async #flush(): Promise<void> {
    const { output, signal } = this.#options
    let result = output.flush()
    while (result === 'later' && !signal.aborted) {
      await sleep(SLOW_READER_MS)
      result = output.flush()
    }
    this.#check(result)
  }

  #printRecord({ value, contentType }: TopicRecord): void {
    const { selector, format, output, limit } = this.#options
    if (value === null || !isOurs(contentType)) {
      this.result.foreign += 1
      return
    }
    // A record that is not a pair is left to the format, which finds the same fault.
    if (selector?.selects(value) === false) return
    const text = format.pair(value)
    if (text instanceof Error) {
      this.result.foreign += 1
      return
    }
    if (!this.#check(output.write(text))) return
    this.result.pairs += 1
    if (limit !== null && this.result.pairs >= limit) this.done = true
  }

  #check(result: WriteResult): boolean {
    // What a slow reader does not accept now stays pending.
    if (result === 'ok' || result === 'later') return true
    if (result !== 'closed') throw runtimeError(`cannot write the output: ${fileErrorText(result)}`, { cause: result })
    this.done = true
    return false
  }
}

/** Records of other producers may lack the header: whether they are pairs shows when they are parsed. */
const isOurs = (contentType: string | null): boolean =>
  contentType === null || /^application\/(x-|vnd\.)?(msgpack|json)\b/i.test(contentType)
