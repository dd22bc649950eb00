/** Runs tcpdump as a reference for what was captured. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Namespace } from '../../rig/netns.ts'

/** Captures an Ethernet interface into a file until `packets` has returned. */
export class Tcpdump {
  readonly #folder = mkdtempSync(join(tmpdir(), 'itl-tcpdump-'))
  readonly #process

  private constructor(namespace: Namespace, device: string, expression: string) {
    const options = [
      '-i',
      device,
      '-w',
      join(this.#folder, 'out.pcap'),
      '-s',
      '0',
      '-B',
      '16384',
      '-U',
      '--immediate-mode',
    ]
    this.#process = namespace.spawn('tcpdump', ...options, '-Z', 'root', expression)
  }

  /** Resolves once it captures. */
  static async start(namespace: Namespace, device: string, expression: string): Promise<Tcpdump> {
    const tcpdump = new Tcpdump(namespace, device, expression)
    for (let text = ''; !text.includes('listening on'); ) text += String(await once(tcpdump.#process.stderr!, 'data'))
    return tcpdump
  }

  /** Returns the captured IP packets once there are `count`, or those captured after some seconds, and ends tcpdump. */
  async packets(count: number): Promise<Buffer[]> {
    let packets: Buffer[] = []
    for (let tries = 0; tries < 100; tries++) {
      packets = readPcap(readFileSync(join(this.#folder, 'out.pcap')))
      if (packets.length >= count) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    this.#process.kill('SIGINT')
    await once(this.#process, 'exit')
    rmSync(this.#folder, { recursive: true })
    return packets
  }
}

function readPcap(file: Buffer): Buffer[] {
  const packets: Buffer[] = []
  for (let at = 24; at + 16 <= file.length; ) {
    const length = file.readUInt32LE(at + 8)
    packets.push(file.subarray(at + 16 + 14, at + 16 + length))
    at += 16 + length
  }
  return packets
}
