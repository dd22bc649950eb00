/** Opens the input of live capture. Main thread. */
import { SocketOpener, type SocketOptions } from '../capture/af-packet/socket-opener.ts'
import { capSource } from '../capture/cap/spec.ts'
import { chooseSource } from '../capture/choose-source.ts'
import { brokerExclusions } from '../capture/filter/exclusions.ts'
import type { Config } from '../config/schema.ts'
import { usageError } from '../errors.ts'
import { ownNetns } from '../sys/netns.ts'
import { returnLargeBlocks } from '../sys/release-memory.ts'
import type { CaptureTarget } from '../target/capture-target.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'
import type { OpenInput, SocketInput } from './open-input.ts'
import type { PipelineInput } from './options.ts'

/** @throws InterceptorError when it cannot be opened; nothing is left open then */
export async function openLive(input: Exclude<PipelineInput, { kind: 'files' }>, config: Config): Promise<OpenInput> {
  const exclude = config.ship.sink === 'kafka' ? await brokerExclusions(config.kafka.brokers) : []
  const options = { ...config.capture, exclude }
  if (input.kind === 'targets') {
    if (config.capture.source === 'cap') throw targetsNeedPackets()
    chooseSource('af-packet')
    return openSockets([], options, true)
  }
  if (chooseSource(config.capture.source) === 'af-packet') return openSockets(input.names.map(ofHost), options, false)
  return { kind: 'whole', source: capSource(input.names, options), interfaces: input.names.map(infoOf) }
}

async function openSockets(
  targets: readonly CaptureTarget[],
  options: SocketOptions,
  open: boolean,
): Promise<SocketInput> {
  const own = ownNetns()
  returnLargeBlocks()
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
