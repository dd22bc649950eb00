/** Opens a run's input before any worker is started, so that what cannot be opened is reported at once. Main thread. */
import type { PacketSocket, SocketOpener, SocketOptions } from '../capture/af-packet/socket-opener.ts'
import type { CapSource, FileSource } from '../capture/worker-data.ts'
import { usageError } from '../errors.ts'
import type { CaptureTarget } from '../target/capture-target.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'
import type { PipelineOptions } from './options.ts'

/** Input that one capture worker reads from beginning to end. */
export interface WholeInput {
  kind: 'whole'
  source: FileSource | CapSource
  /** Interfaces by id, where they are known in advance. */
  interfaces: InterfaceInfo[]
}

/** Packet sockets, which may be opened and closed during the run. */
export interface SocketInput {
  kind: 'sockets'
  sockets: SocketOpener
  /** Sockets that are open from the beginning. */
  opened: { target: CaptureTarget; socket: PacketSocket }[]
  /** Whether others are added during the run. */
  open: boolean
  /** Inode of the main thread's network namespace. */
  readonly ownNetns: number
}

export type OpenInput = WholeInput | SocketInput

/** @throws InterceptorError when it cannot be opened; nothing is left open then */
export async function openInput({ input, config }: PipelineOptions): Promise<OpenInput> {
  if (input.kind === 'files') {
    const { paths, follow } = input
    const source = { kind: 'file' as const, paths, follow, filter: config.capture.filter }
    return { kind: 'whole', source, interfaces: [] }
  }
  // Loaded only here, because reading files needs no foreign functions.
  const { chooseSource } = await import('../capture/choose-source.ts')
  const { brokerExclusions } = await import('../capture/filter/exclusions.ts')
  const exclude = config.ship.sink === 'kafka' ? await brokerExclusions(config.kafka.brokers) : []
  const options = { ...config.capture, exclude }
  if (input.kind === 'targets') {
    if (config.capture.source === 'cap') throw targetsNeedPackets()
    chooseSource('af-packet')
    return openSockets([], options, true)
  }
  if (chooseSource(config.capture.source) === 'af-packet') return openSockets(input.names.map(ofHost), options, false)
  const { capSource } = await import('../capture/cap/spec.ts')
  return { kind: 'whole', source: capSource(input.names, options), interfaces: input.names.map(infoOf) }
}

/** The number of interfaces; null: it changes during the run. */
export function interfacesOf(input: OpenInput): number | null {
  if (input.kind === 'whole') return 1
  return input.open ? null : input.opened.length
}

async function openSockets(
  targets: readonly CaptureTarget[],
  options: SocketOptions,
  open: boolean,
): Promise<SocketInput> {
  const { SocketOpener } = await import('../capture/af-packet/socket-opener.ts')
  const { ownNetns } = await import('../sys/netns.ts')
  const own = ownNetns()
  const sockets = new SocketOpener(options)
  const opened: SocketInput['opened'] = []
  try {
    if (open) sockets.checkExpression()
    for (const target of targets) opened.push({ target, socket: sockets.open(target) })
    // Frames gather in the kernel's rings while the threads start.
    for (const { socket } of opened) sockets.bind(socket)
    return { kind: 'sockets', sockets, opened, open, ownNetns: own }
  } catch (error) {
    await sockets.closeAll(opened.map(({ socket }) => socket))
    throw error
  }
}

const infoOf = (name: string): InterfaceInfo => ({ name, vantage: 'host', mesh: null, domain: 0, vantagePoint: null })

/** An interface of this host, captured by its name. */
const ofHost = (name: string): CaptureTarget => ({
  key: name,
  device: name,
  netns: null,
  info: infoOf(name),
  excludePorts: [],
  onlyPorts: null,
  onlyAddresses: null,
  tunnels: true,
  labels: {},
})

const targetsNeedPackets = () =>
  usageError('pods are captured through packet sockets only', {
    hint: 'Set capture.source to auto or af-packet.',
  })
