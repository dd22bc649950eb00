/** Packet sockets on one side of a veth pair, numbered frames that arrive there, and a sink that knows them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Namespace } from '../../../rig/netns.ts'
import {
  type CaptureRules,
  type PacketSocket,
  SocketOpener,
  type SocketOptions,
} from '../../../src/capture/af-packet/socket-opener.ts'
import { type LentSocket, RING_PROGRESS_WORDS } from '../../../src/capture/worker-data.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import { ethernet, packet, pcapFile, tcp } from '../../support/frames.ts'
import { RememberingSink } from '../support.ts'

const MIB = 1024 * 1024
/** Frames that one call sends. */
export const FRAMES = 20
/** Addresses and source port of every frame. */
export const FROM = '10.78.0.1'
export const TO = '10.78.0.2'
export const SOURCE_PORT = 80
/** Offsets of a frame's type and destination port. */
const TYPE_AT = 12
const PORT_AT = 14 + 20 + 2
const IPV4 = 0x0800
/** Rules that all frames pass. */
export const ALL = { excludePorts: [], onlyAddresses: null, onlyPorts: null, tunnels: false } as const
export const OPTIONS: SocketOptions = {
  filter: '',
  exclude: [],
  snapLength: 65536,
  ringBytes: MIB,
  initialRingBytes: MIB,
  promiscuous: false,
  tunnels: [],
}

/** Frame `number`: that is its destination port. */
export function numberedFrame(number: number): Uint8Array {
  const [source, destination] = [FROM, TO].map((address) => address.split('.').map(Number))
  return ethernet({ payload: packet({ source, destination, protocol: 6, payload: tcp(SOURCE_PORT, number) }) })
}

/** Records frames by interface. */
export class NumberedSink extends RememberingSink {
  /** Numbers of the frames of an interface, in the order of delivery. Other frames that the kernel sends are IPv6. */
  numbers(interfaceId: number): number[] {
    return this.frames
      .filter((frame) => frame.interfaceId === interfaceId)
      .map(({ bytes }) => new DataView(bytes.buffer))
      .filter((frame) => frame.getUint16(TYPE_AT) === IPV4)
      .map((frame) => frame.getUint16(PORT_AT))
  }
}

/** A veth pair. */
export function vethPair(t: TestContext): [Namespace, Namespace] {
  const pair = Namespace.pair()
  t.after(() => {
    for (const namespace of pair) namespace.delete()
  })
  return pair
}

/** A socket as the worker gets it, alone in its interface. */
export const lend = (socket: PacketSocket, interfaceId: number): LentSocket => ({
  ...socket,
  interfaceId,
  closing: false,
  replaced: false,
  mayGrow: false,
  counters: allocateCounters(CAPTURE_COUNTERS),
  interfaceIndex: socket.link?.index ?? 0,
  promiscuous: false,
  progress: new Int32Array(new SharedArrayBuffer(RING_PROGRESS_WORDS * Int32Array.BYTES_PER_ELEMENT)),
  proxyPort: new Int32Array(1),
  redirected: new Uint8Array(0),
})

export class RingRig {
  readonly sockets: SocketOpener
  /** Opened and not closed. */
  readonly opened = new Set<PacketSocket>()
  readonly #left: Namespace
  readonly #right: Namespace
  readonly #folder = mkdtempSync(join(tmpdir(), 'ring-'))
  #sent = 0

  constructor(t: TestContext, [left, right]: readonly [Namespace, Namespace], options: Partial<SocketOptions> = {}) {
    this.#left = left
    this.#right = right
    this.sockets = new SocketOpener({ ...OPTIONS, ...options })
    t.after(async () => {
      await this.sockets.closeAll([...this.opened])
      rmSync(this.#folder, { recursive: true })
    })
  }

  /** Opens a socket on the right side; it is not bound. */
  openSocket(rules: Omit<CaptureRules, 'device' | 'netns'> = ALL, ringBytes?: number): PacketSocket {
    const place = { device: 'eth0', netns: { path: this.#right.path, inode: null } }
    const socket = this.sockets.open({ ...place, ...rules }, ringBytes)
    this.opened.add(socket)
    return socket
  }

  /** Opens a socket on the right side. @param isBound whether the kernel collects frames from now on */
  open(interfaceId: number, isBound = true): LentSocket {
    const socket = this.openSocket()
    if (isBound) this.sockets.bind(socket)
    return lend(socket, interfaceId)
  }

  close(socket: PacketSocket): Promise<void> {
    this.opened.delete(socket)
    return this.sockets.close(socket)
  }

  /** Sends new frames to the right side. @returns their numbers */
  send(count = FRAMES): number[] {
    const numbers = Array.from({ length: count }, () => ++this.#sent)
    this.transmit(numbers)
    return numbers
  }

  /** Sends these frames to the right side. */
  transmit(numbers: readonly number[]): void {
    const file = join(this.#folder, 'frames.pcap')
    writeFileSync(file, pcapFile(numbers.map(numberedFrame)))
    this.#left.exec('tcpreplay', '-q', '-i', 'eth0', '--topspeed', file)
  }
}
