/** The doctor's look at live capture. Each check does what capturing would do, rather than guess from versions. */
import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { SocketOpener } from '../capture/af-packet/socket-opener.ts'
import { requireCap } from '../capture/choose-source.ts'
import { compileFilter } from '../capture/filter/expression.ts'
import type { Config } from '../config/schema.ts'
import { errorText, hintOf, lacksPrivilege } from '../errors.ts'
import { ffi } from '../sys/ffi.ts'
import { listInterfaces } from '../sys/interfaces.ts'
import { withNetns } from '../sys/netns.ts'
import { libpcapVersion } from '../sys/pcap-compile.ts'
import { type Check, failed, ok, privilege, skipped, warning } from './check.ts'

/** Places in a capability set (linux/capability.h). */
const CAPABILITY_BITS = { CAP_NET_RAW: 13n, CAP_SYS_ADMIN: 21n } as const

const PACKET_SOCKETS = 'packet sockets'
const CAP_PACKAGE = 'package cap'

/** @returns the checks in the order they are shown. Never throws. */
export function captureChecks(config: Config): Check[] {
  const { source } = config.capture
  const native = source === 'cap' ? [skipped(PACKET_SOCKETS, 'capture.source is cap')] : nativeChecks(config)
  const works = native.some(({ name, state }) => name === PACKET_SOCKETS && state === 'ok')
  return [...native, capPackage(config, works), ...filterChecks(config.capture.filter)]
}

function nativeChecks(config: Config): Check[] {
  if (process.platform !== 'linux') {
    const hint = 'capture on Linux, or through libpcap with --source cap'
    return [warning('operating system', `${process.platform} has no packet sockets`, hint)]
  }
  const functions = foreignFunctions()
  if (functions.state !== 'ok') return [functions]
  return [ok('kernel', `Linux ${release()}`), functions, packetSockets(config), interfaces(config), otherNamespaces()]
}

function foreignFunctions(): Check {
  try {
    return ok('foreign functions', `koffi ${ffi().version}`)
  } catch (error) {
    return failed('foreign functions', `koffi does not load: ${errorText(error)}`, 'run npm ci on this machine')
  }
}

/** Opens a ring on loopback as capture would. */
function packetSockets({ capture }: Config): Check {
  try {
    const sockets = new SocketOpener({ ...capture, filter: '', exclude: [] })
    const opened = sockets.open({ device: 'lo', netns: null, excludePorts: [], onlyAddresses: null })
    const mebibytes = (opened.blockBytes * opened.blockCount) / (1024 * 1024)
    void sockets.close(opened)
    return ok(PACKET_SOCKETS, `${held('CAP_NET_RAW')}; TPACKET_V3 ring of ${mebibytes} MiB`)
  } catch (error) {
    return refusal(PACKET_SOCKETS, error)
  }
}

function refusal(name: string, error: unknown): Check {
  const check = lacksPrivilege(error) ? privilege : failed
  return check(name, errorText(error), hintOf(error) ?? 'see the message')
}

/** What this process's effective set says of a capability, for the reader; whether it suffices the probes find out. */
function held(name: keyof typeof CAPABILITY_BITS): string {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'
  const has = (BigInt(`0x${effective}`) >> CAPABILITY_BITS[name]) & 1n
  return has === 1n ? name : `without ${name}`
}

function interfaces({ capture }: Config): Check {
  const all = listInterfaces()
  const missing = capture.interfaces.filter((name) => name !== 'any' && !all.some((link) => link.name === name))
  const found = all.map(({ name, up }) => (up ? name : `${name} (down)`)).join(', ')
  if (missing.length === 0) return ok('interfaces', found)
  return failed('interfaces', `no ${missing.join(', ')}; there are ${found}`, 'correct capture.interfaces')
}

/** Entering a network namespace, our own, needs what entering a pod's does. */
function otherNamespaces(): Check {
  const name = 'namespaces of pods'
  try {
    withNetns('/proc/self/ns/net', () => null)
    return ok(name, held('CAP_SYS_ADMIN'))
  } catch (error) {
    const hint = 'to capture inside pods add the capability SYS_ADMIN; capturing on this host needs none'
    return warning(name, `not permitted (${errorText(error)})`, hint)
  }
}

function capPackage({ capture }: Config, nativeWorks: boolean): Check {
  try {
    requireCap()
    return ok(CAP_PACKAGE, 'loads')
  } catch (error) {
    if (nativeWorks) return skipped(CAP_PACKAGE, 'not installed, and not needed where packet sockets work')
    if (capture.source === 'af-packet') return skipped(CAP_PACKAGE, 'capture.source is af-packet')
    return refusal(CAP_PACKAGE, error)
  }
}

function filterChecks(filter: string): Check[] {
  return [libpcap(filter), ...(filter === '' ? [] : [expression(filter)])]
}

function libpcap(filter: string): Check {
  try {
    return ok('libpcap', libpcapVersion().replace(/^libpcap version /, ''))
  } catch (error) {
    const hint = 'install it (Debian: libpcap0.8) to use filter expressions'
    return filter === '' ? warning('libpcap', errorText(error), hint) : failed('libpcap', errorText(error), hint)
  }
}

function expression(filter: string): Check {
  try {
    compileFilter(filter, false, 65535)
    return ok('capture.filter', filter)
  } catch (error) {
    return refusal('capture.filter', error)
  }
}
