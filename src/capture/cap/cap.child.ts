/**
 * Entry of the child process that runs the `cap` package and writes captured frames to standard output (records.ts).
 *
 * It is a separate process because cap registers its descriptors in the main thread's event loop: loaded in a worker,
 * cap crashes the process at the first packet, and in the main thread it would compete with everything else there.
 *
 * The first argument is a `CapSource` as JSON. The process exits when its standard input ends, so it never outlives its
 * parent.
 */
import '../../thread/no-inspector.ts'
import { writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { CapSource } from '../worker-data.ts'
import { type CapFailure, FAILED, OPENED, RecordWriter } from './records.ts'

/** The part of the package's interface that is used here; the package has no types. */
interface Cap {
  open(device: string, filter: string, bufferBytes: number, buffer: Buffer): string
  on(event: 'packet', listener: (length: number, truncated: boolean) => void): void
  close(): void
}
interface CapModule {
  Cap: { new (): Cap; deviceList(): Device[] }
}
interface Device {
  name: string
  addresses: { addr?: string }[]
}

const STDOUT = 1
const NOTHING = new Uint8Array(0)

/** LINKTYPE_ values of cap's names for link types; cap reports others as `Unknown linktype <DLT>`. */
const LINK_TYPES = new Map([
  ['NULL', 0],
  ['ETHERNET', 1],
  ['IEEE802_11_RADIO', 127],
  ['LINKTYPE_LINUX_SLL', 113],
  ['RAW', 101],
])

const source = JSON.parse(process.argv[2]) as CapSource
const open: Cap[] = []
let flushing = false
const writer = new RecordWriter(source.snapLength, (bytes) => {
  for (let written = 0; written < bytes.length; ) written += writeSync(STDOUT, bytes, written)
})

function start(): void {
  const { Cap } = createRequire(import.meta.url)('cap') as CapModule
  source.interfaces.forEach(({ device }, position) => {
    // libpcap's `any` device refuses promiscuous mode, which cap always requests.
    const devices = device === 'any' ? withAddresses(Cap.deviceList()) : [device]
    for (const name of devices) capture(new Cap(), name, position)
  })
  writer.add(0, OPENED, 0, NOTHING, 0)
  writer.flush()
}

function withAddresses(devices: Device[]): string[] {
  return devices.filter(({ addresses }) => addresses.some(({ addr }) => addr !== undefined)).map(({ name }) => name)
}

function capture(cap: Cap, device: string, position: number): void {
  const buffer = Buffer.alloc(source.snapLength)
  try {
    const name = cap.open(device, source.filter, source.bufferBytes, buffer)
    const linkType = LINK_TYPES.get(name) ?? Number(name.replace('Unknown linktype ', ''))
    // cap does not report packet times, so the time of delivery is used.
    cap.on('packet', (length) => add(position, linkType, buffer, length))
    open.push(cap)
  } catch (error) {
    throw new Error(`${device}: ${(error as Error).message}`, { cause: error })
  }
}

function add(position: number, linkType: number, buffer: Buffer, length: number): void {
  try {
    writer.add(position, linkType, (performance.timeOrigin + performance.now()) * 1000, buffer, length)
  } catch {
    // The parent has closed the pipe.
    stop()
  }
  if (flushing) return
  flushing = true
  setImmediate(flush)
}

function flush(): void {
  flushing = false
  try {
    writer.flush()
  } catch {
    stop()
  }
}

function report(failure: CapFailure): void {
  const bytes = new TextEncoder().encode(JSON.stringify(failure))
  writer.add(0, FAILED, 0, bytes, bytes.length)
  writer.flush()
  stop()
}

/** Closes everything that keeps this process alive. */
function stop(): void {
  for (const cap of open.splice(0)) cap.close()
  process.stdin.destroy()
}

// A terminal sends Ctrl-C to this process too, but the parent decides when to stop.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
// Deferred, so that packets which are readable now are delivered first.
process.stdin.on('end', () => setImmediate(stop)).resume()
try {
  start()
} catch (error) {
  report({ message: (error as Error).message })
}
