/**
 * A veth pair between two new namespaces, without offloads and without IPv6, so that only the trace crosses it.
 */
import { Namespace } from '../rig/netns.ts'
import { outputOf } from './measure.ts'

const DEVICE = 'eth0'
const PREFIX = 'itb'

/** What tcpreplay reports as sent. */
export interface Replayed {
  frames: number
  seconds: number
}

export class VethPair {
  readonly #sender: Namespace
  /** The namespace in which the program captures. */
  readonly receiver: Namespace

  constructor() {
    const [sender, receiver] = Namespace.pair(PREFIX)
    this.#sender = sender
    this.receiver = receiver
    for (const end of [sender, receiver]) {
      end.exec('ethtool', '-K', DEVICE, 'tso', 'off', 'gso', 'off', 'gro', 'off')
      end.exec('sysctl', '-q', '-w', 'net.ipv6.conf.all.disable_ipv6=1')
    }
  }

  /** Runs tcpreplay to its end. @param args speed and file */
  async replay(args: readonly string[], signal?: AbortSignal): Promise<Replayed> {
    const child = this.#sender.spawn('tcpreplay', '-i', DEVICE, ...args)
    signal?.addEventListener('abort', () => child.kill('SIGINT'), { once: true })
    const text = await outputOf(child, 'tcpreplay')
    const [, frames, seconds] = /Actual: (\d+) packets \(\d+ bytes\) sent in ([\d.]+) seconds/.exec(text) ?? []
    return { frames: Number(frames), seconds: Number(seconds) }
  }

  delete(): void {
    this.#sender.delete()
    this.receiver.delete()
  }
}
