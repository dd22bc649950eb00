/** Capabilities of this process, for messages: whether something is permitted shows only when it is tried. */
import { readFileSync } from 'node:fs'

/** Bits of a capability set (linux/capability.h). */
const BITS = { CAP_NET_RAW: 13n, CAP_SYS_PTRACE: 19n, CAP_SYS_ADMIN: 21n } as const

export type Capability = keyof typeof BITS

/** Whether the effective set contains it. Linux only. */
export function hasCapability(name: Capability): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> BITS[name]) & 1n) === 1n
}
