/**
 * Live capture through libpcap with the npm package `cap`, for systems without AF_PACKET. Runs cap in a child process
 * and passes its frames to the sink. Capture worker's thread, with its event loop.
 *
 * Limitations compared with AF_PACKET: promiscuous mode is always on; frames are cut at 65535 bytes; packet times are
 * times of delivery, in microseconds; neither kernel drops nor the removal of an interface are reported.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type InterceptorError, runtimeError, usageError } from '../../errors.ts'
import { COMMAND_RUN, COMMAND_STOP, type Control } from '../../thread/control.ts'
import { CpuTimeRecorder } from '../../thread/cpu-time.ts'
import type { FromWorker } from '../../thread/messages.ts'
import { captureDenied } from '../capture-denied.ts'
import type { FrameSink } from '../frame-sink.ts'
import { describeLinkType } from '../wire/link-types.ts'
import type { CapSource } from '../worker-data.ts'
import { type CapFailure, FAILED, OPENED, RECORD_HEADER_BYTES, RecordReader } from './records.ts'

/** Interval of checking the command and advancing the packet clock of idle interfaces. */
const INTERVAL_MS = 100
/** The packet clock lags by this much, so that frames still in the pipe are not in its past. */
const CLOCK_LAG_MICROS = 100_000

/**
 * Captures until the command is drain (the child stops capturing, and captured frames are still read) or stop.
 *
 * @throws InterceptorError by libpcap's message: EXIT_PRIVILEGE, EXIT_USAGE (no such interface, bad expression) or EXIT_RUNTIME
 */
export async function runCap(
  source: CapSource,
  sink: FrameSink,
  control: Control,
  post: (message: FromWorker) => void,
): Promise<void> {
  const child = spawn(process.execPath, [
    fileURLToPath(new URL('./cap.child.js', import.meta.url)),
    JSON.stringify(source),
  ])
  const capture = new CapCapture(source, sink, post)
  const cpuTime = new CpuTimeRecorder(control)
  const timer = setInterval(() => {
    control.beat()
    cpuTime.update(performance.now())
    applyCommand(child, control)
    sink.stamp.micros = Date.now() * 1000 - CLOCK_LAG_MICROS
    sink.tick()
    sink.flush()
  }, INTERVAL_MS)
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => capture.push(chunk))
      child.stderr.on('data', (chunk: Buffer) =>
        post({ t: 'log', level: 'warn', message: `cap: ${String(chunk).trim()}` }),
      )
      child.stdin.on('error', () => {})
      child.on('error', reject)
      child.on('close', resolve)
    })
  } finally {
    clearInterval(timer)
  }
  if (capture.failure !== null) throw asError(capture.failure)
  if (control.command === COMMAND_RUN) throw runtimeError('the capturing child process ended unexpectedly')
}

function applyCommand(child: ChildProcessWithoutNullStreams, control: Control): void {
  if (control.command === COMMAND_STOP) child.kill('SIGKILL')
  else if (control.command !== COMMAND_RUN) child.stdin.end()
}

class CapCapture {
  readonly #source: CapSource
  readonly #sink: FrameSink
  readonly #post: (message: FromWorker) => void
  readonly #records = new RecordReader((bytes, view, start) => this.#onRecord(bytes, view, start))
  /** Unreadable link types that have been reported. */
  readonly #unread = new Set<number>()
  failure: CapFailure | null = null

  constructor(source: CapSource, sink: FrameSink, post: (message: FromWorker) => void) {
    this.#source = source
    this.#sink = sink
    this.#post = post
  }

  push(chunk: Uint8Array): void {
    this.#records.push(chunk)
    this.#sink.flush()
    for (const linkType of this.#sink.drainUnread().keys()) this.#reportUnread(linkType)
  }

  #reportUnread(linkType: number): void {
    if (this.#unread.has(linkType)) return
    this.#unread.add(linkType)
    const message = `frames of link type ${describeLinkType(linkType)} cannot be read`
    this.#post({ t: 'log', level: 'warn', message })
  }

  #onRecord(bytes: Uint8Array, view: DataView, start: number): void {
    const length = view.getUint32(start, true)
    const linkType = view.getUint16(start + 6, true)
    const data = start + RECORD_HEADER_BYTES
    if (linkType === FAILED) {
      this.failure = JSON.parse(new TextDecoder().decode(bytes.subarray(data, data + length)))
    } else if (linkType === OPENED) {
      this.#post({ t: 'log', level: 'debug', message: 'libpcap capture has started' })
    } else {
      const { interfaceId } = this.#source.interfaces[view.getUint16(start + 4, true)]
      this.#sink.stamp.micros = Math.floor(view.getFloat64(start + 8, true))
      // cap does not report the wire length, so truncation is detected by the IP header.
      this.#sink.frame(bytes, view, data, length, length, linkType, interfaceId)
    }
  }
}

/** Classifies libpcap's errors by their text, as they have no codes. */
function asError({ message }: CapFailure): InterceptorError {
  if (/permi|CAP_NET_RAW/i.test(message)) {
    return captureDenied({ detail: message })
  }
  if (/no such device/i.test(message)) {
    return usageError(message, {
      hint: `Interfaces of this host: ${Object.keys(networkInterfaces()).join(', ')}; any captures all of them.`,
    })
  }
  if (/filter expression|syntax error/i.test(message)) {
    return usageError(message, { hint: 'Filters are written as for tcpdump: man 7 pcap-filter.' })
  }
  if (/cannot find (module|package)|self-register|\.node/i.test(message)) {
    return runtimeError(`the package cap does not load: ${message}`, {
      hint: 'Install libpcap-dev, then run npm install cap.',
    })
  }
  return runtimeError(`libpcap: ${message}`)
}
