/**
 * Live capture through libpcap by the npm package `cap`, for systems without AF_PACKET. Runs it in a child process and
 * hands its frames to the sink. Capture worker's thread, with its event loop.
 *
 * What cap cannot do, beside AF_PACKET: promiscuous mode is always on; frames are cut at 65535 bytes; packet times are
 * times of delivery, in microseconds; kernel drops are not reported; the removal of an interface is not noticed.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type InterceptorError, privilegeError, runtimeError, usageError } from '../../errors.ts'
import { COMMAND_RUN, COMMAND_STOP, type Control } from '../../thread/control.ts'
import { CpuTimeRecorder } from '../../thread/cpu-time.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { FrameSink } from '../frame-sink.ts'
import { describeLinkType } from '../wire/link-types.ts'
import type { CapSource } from '../worker-data.ts'
import { type CapFailure, FAILED, OPENED, RECORD_HEADER_BYTES, RecordReader } from './records.ts'

/** A command is seen after this time, and a quiet interface's packet clock goes on as often. */
const TURN_MS = 100
/** The packet clock runs this much behind, or frames still on their way would be in its past. */
const CLOCK_LAG_MICROS = 100_000

/**
 * Captures until the command is drain (the child stops capturing, and what it has captured is still read) or stop.
 *
 * @throws InterceptorError privilege, usage (no such interface, bad expression) or runtime, by libpcap's message
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
  const turn = setInterval(() => {
    control.beat()
    cpuTime.update(performance.now())
    obey(child, control)
    sink.stamp.micros = Date.now() * 1000 - CLOCK_LAG_MICROS
    sink.tick()
    sink.flush()
  }, TURN_MS)
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => capture.take(chunk))
      child.stderr.on('data', (chunk: Buffer) =>
        post({ t: 'log', level: 'warn', message: `cap: ${String(chunk).trim()}` }),
      )
      child.stdin.on('error', () => {})
      child.on('error', reject)
      child.on('close', resolve)
    })
  } finally {
    clearInterval(turn)
  }
  if (capture.failure !== null) throw asError(capture.failure)
  if (control.command === COMMAND_RUN) throw runtimeError('the capturing child process ended by itself')
}

function obey(child: ChildProcessWithoutNullStreams, control: Control): void {
  if (control.command === COMMAND_STOP) child.kill('SIGKILL')
  else if (control.command !== COMMAND_RUN) child.stdin.end()
}

class CapCapture {
  readonly #source: CapSource
  readonly #sink: FrameSink
  readonly #post: (message: FromWorker) => void
  readonly #records = new RecordReader((bytes, view, start) => this.#take(bytes, view, start))
  /** Link types that have been reported. */
  readonly #unread = new Set<number>()
  failure: CapFailure | null = null

  constructor(source: CapSource, sink: FrameSink, post: (message: FromWorker) => void) {
    this.#source = source
    this.#sink = sink
    this.#post = post
  }

  take(chunk: Uint8Array): void {
    this.#records.push(chunk)
    this.#sink.flush()
    for (const linkType of this.#sink.takeUnread().keys()) this.#reportUnread(linkType)
  }

  #reportUnread(linkType: number): void {
    if (this.#unread.has(linkType)) return
    this.#unread.add(linkType)
    const message = `frames of link type ${describeLinkType(linkType)} cannot be read`
    this.#post({ t: 'log', level: 'warn', message })
  }

  #take(bytes: Uint8Array, view: DataView, start: number): void {
    const length = view.getUint32(start, true)
    const linkType = view.getUint16(start + 6, true)
    const data = start + RECORD_HEADER_BYTES
    if (linkType === FAILED) {
      this.failure = JSON.parse(new TextDecoder().decode(bytes.subarray(data, data + length)))
    } else if (linkType === OPENED) {
      this.#post({ t: 'log', level: 'debug', message: 'libpcap captures' })
    } else {
      const { interfaceId } = this.#source.interfaces[view.getUint16(start + 4, true)]
      this.#sink.stamp.micros = Math.floor(view.getFloat64(start + 8, true))
      // cap does not report the length on the wire; the IP header has it.
      this.#sink.frame(bytes, view, data, length, length, linkType, interfaceId)
    }
  }
}

/** libpcap has texts, not codes. */
function asError({ message }: CapFailure): InterceptorError {
  if (/permi|CAP_NET_RAW/i.test(message)) {
    return privilegeError(`capturing needs the capability CAP_NET_RAW: ${message}`, {
      hint: `run as root, or once: sudo setcap cap_net_raw+ep "$(readlink -f ${process.execPath})"`,
    })
  }
  if (/no such device/i.test(message)) {
    return usageError(message, { hint: `there are: ${[...Object.keys(networkInterfaces()), 'any'].join(', ')}` })
  }
  if (/filter expression|syntax error/i.test(message)) {
    return usageError(message, { hint: 'the language is that of tcpdump: man 7 pcap-filter' })
  }
  if (/cannot find (module|package)|self-register|\.node/i.test(message)) {
    return runtimeError(`the package cap does not load: ${message}`, {
      hint: 'install libpcap-dev, then: npm install cap',
    })
  }
  return runtimeError(`libpcap: ${message}`)
}
