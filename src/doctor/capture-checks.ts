/** Checks live capture. Each check does what a capture does instead of guessing from versions. */
import { release } from 'node:os'
import { SocketOpener } from '../capture/af-packet/socket-opener.ts'
import { requireCap } from '../capture/choose-source.ts'
import { compileForEthernet } from '../capture/filter/expression.ts'
import type { Config } from '../config/schema.ts'
import { errorText, hintOf, lacksPrivilege } from '../errors.ts'
import { type Capability, hasCapability } from '../sys/capabilities.ts'
import { ffi } from '../sys/ffi.ts'
import { listInterfaces } from '../sys/interfaces.ts'
import { withNetns } from '../sys/netns.ts'
import { libpcapVersion } from '../sys/pcap-compile.ts'
import { type Check, failed, ok, privilege, skipped, warning } from './check.ts'

const PACKET_SOCKETS = 'packet sockets'
const CAP_PACKAGE = 'package cap'

/** @returns the checks in the order of the output. Never throws. */
export function captureChecks(config: Config): Check[] {
  const { source } = config.capture
  const native = source === 'cap' ? [skipped(PACKET_SOCKETS, 'capture.source is cap')] : nativeChecks(config)
  const works = native.some(({ name, state }) => name === PACKET_SOCKETS && state === 'ok')
  return [...native, capPackage(config, works), ...filterChecks(config.capture.filter)]
}

function nativeChecks(config: Config): Check[] {
  if (process.platform !== 'linux') {
    const hint = 'capture on Linux, or with libpcap: --source cap'
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

/** Opens a ring on loopback as a capture does. */
function packetSockets({ capture }: Config): Check {
  try {
    const sockets = new SocketOpener({ ...capture, filter: '', exclude: [] })
    const opened = sockets.open({
      device: 'lo',
      netns: null,
      excludePorts: [],
      onlyAddresses: null,
      onlyPorts: null,
      tunnels: false,
    })
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

/** Names a capability and whether the effective set contains it. Only for display: the checks try what needs it. */
const held = (name: Capability): string => (hasCapability(name) ? name : `without ${name}`)

function interfaces({ capture }: Config): Check {
  const all = listInterfaces()
  const missing = capture.interfaces.filter((name) => name !== 'any' && !all.some((link) => link.name === name))
  const found = all.map(({ name, up }) => (up ? name : `${name} (down)`)).join(', ')
  if (missing.length === 0) return ok('interfaces', found)
  return failed('interfaces', `not found: ${missing.join(', ')}; this host has ${found}`, 'correct capture.interfaces')
}

/** Entering our own network namespace needs the same privilege as entering a pod's. */
function otherNamespaces(): Check {
  const name = 'namespaces of pods'
  try {
    withNetns('/proc/self/ns/net', () => null)
    return ok(name, held('CAP_SYS_ADMIN'))
  } catch (error) {
    const hint = 'grant SYS_ADMIN to capture inside pods; capturing on this host does not need it'
    return warning(name, `not permitted (${errorText(error)})`, hint)
  }
}

function capPackage({ capture }: Config, nativeWorks: boolean): Check {
  try {
    requireCap()
    return ok(CAP_PACKAGE, 'loads')
  } catch (error) {
    if (nativeWorks) return skipped(CAP_PACKAGE, 'not installed; not needed because packet sockets work')
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
    const hint = 'install libpcap (Debian: libpcap0.8) to use filter expressions'
    return filter === '' ? warning('libpcap', errorText(error), hint) : failed('libpcap', errorText(error), hint)
  }
}

function expression(filter: string): Check {
  try {
    compileForEthernet(filter)
    return ok('capture.filter', filter)
  } catch (error) {
    return refusal('capture.filter', error)
  }
}
