/** What a capture through libpcap is started with. Main thread. */
import type { CapSource } from '../../thread/messages.ts'
import type { SocketOptions } from '../af-packet/socket-opener.ts'
import { capFilter } from './filter.ts'

/** libpcap takes a whole snap length of its buffer for every frame, so for the same traffic it needs more of it. */
const CAP_BUFFER_SHARE = 4
/** libpcap takes an int. */
const MAX_CAP_BUFFER = 2 ** 31 - 1

/** @param devices by interface id; `any`: every interface with an address */
export function capSource(devices: readonly string[], options: SocketOptions): CapSource {
  return {
    kind: 'cap',
    interfaces: devices.map((device, interfaceId) => ({ interfaceId, device })),
    filter: capFilter(options.filter, options.exclude),
    snapLength: options.snapLength,
    bufferBytes: Math.min(options.ringBytes * CAP_BUFFER_SHARE, MAX_CAP_BUFFER),
  }
}
