/**
 * Interfaces and addresses of a network namespace, read from /proc/<pid>/net of any process in it. No namespace is entered
 * and no process is started. Parsing is pure.
 */
import { isIPv4 } from 'node:net'
import type { ProcFiles } from './proc-files.ts'

/** Interfaces and addresses of one network namespace. */
export interface NetworkFacts {
  /** Names, in the kernel's order. */
  readonly interfaces: readonly string[]
  /** The interface by which traffic leaves; null: there is none yet. */
  readonly external: ExternalInterface | null
  /**
   * Further interfaces with an address or a route of their own, such as those that Multus attaches. Without loopback and
   * without bridges and tunnels, whose packets pass another interface too.
   */
  readonly further: readonly string[]
  /** Every address at which others can reach the namespace: IPv4, then IPv6 in RFC 5952 form. */
  readonly addresses: readonly string[]
  /** Those of `addresses` within a network of the external interface. */
  readonly externalAddresses: readonly string[]
  /**
   * Those of `addresses` within a network of any interface. This leaves out the addresses of Services that kube-proxy
   * assigns to the node in its IPVS mode.
   */
  readonly interfaceAddresses: readonly string[]
}

/** The interface by which traffic leaves a namespace, and the evidence for it. */
export interface ExternalInterface {
  readonly name: string
  readonly by: 'default-route' | 'address'
}

/**
 * Names of bridges and tunnels that container engines, CNI plugins and the kernel create within a namespace. What they
 * carry is forwarded from or to another interface of the same namespace.
 */
const FORWARDING_INTERFACE =
  /^(?:docker\d+|docker_gwbridge|podman\d+|br-[0-9a-f]+|cni\d+|cbr\d+|kube-.*|nodelocaldns|virbr\d+|lxcbr\d+|veth.*|cali.*|lxc.*|flannel.*|vxlan.*|tunl\d+|sit\d+|ip6tnl\d+|ip6gre\d+|gre\d+|gretap\d+|erspan\d+|ip_vti\d+|ip6_vti\d+|dummy\d+)$/

const RTF_UP = 0x0001
const RTF_REJECT = 0x0200
/** kube-proxy in IPVS mode assigns the addresses of all Services to this interface. */
const IPVS_INTERFACE = 'kube-ipvs0'
/** At most this many IPv4 addresses that are in no interface's network are attributed to the external interface. */
const MAX_UNPLACED_ADDRESSES = 16
const IPV6_UNSPECIFIED = '0'.repeat(32)
/** /proc/<pid>/net/if_inet6: the scope of routed addresses (RFC 4007), as opposed to link-local ones. */
const SCOPE_GLOBAL = '00'

/** A route of the main table. */
interface Route {
  readonly version: 4 | 6
  readonly device: string
  readonly isDefault: boolean
  readonly metric: number
  /** The network of an IPv4 route without a gateway, in host byte order; both 0 for any other route. */
  readonly network: number
  readonly mask: number
}

interface Address6 {
  readonly device: string
  readonly address: string
}

/** The texts of one reading and the facts parsed from them. Unchanged texts are not parsed again. */
export interface NetworkReading {
  readonly texts: readonly string[]
  readonly facts: NetworkFacts
}

/**
 * Reads the namespace of a process.
 *
 * @param before the last reading of the same namespace; it is returned when nothing changed
 * @returns null when the process has exited
 */
export function readNetwork(files: ProcFiles, pid: number, before: NetworkReading | null): NetworkReading | null {
  const devices = files.read(`${pid}/net/dev`)
  if (typeof devices !== 'string') return null
  const texts = [parseDevices(devices).join(' ')]
  for (const name of ['route', 'ipv6_route', 'fib_trie', 'if_inet6']) {
    // A kernel without IPv6 lacks some of these files.
    const text = files.read(`${pid}/net/${name}`)
    texts.push(typeof text !== 'string' ? '' : name === 'ipv6_route' ? withoutCounters(text) : text)
  }
  if (before !== null && texts.every((text, index) => text === before.texts[index])) return before
  return { texts, facts: describeNetwork(texts) }
}

/** Removes the reference and use counts of IPv6 routes, which change with every packet. */
const withoutCounters = (text: string): string => text.replace(/ [0-9a-f]{8} [0-9a-f]{8}(?= [0-9a-f]{8} +\S+$)/gm, '')

function describeNetwork([devices = '', routes = '', routes6 = '', trie = '', addresses6 = '']: readonly string[]) {
  const interfaces = devices.split(' ').filter((name) => name !== '')
  const parsed = [...parseRoutes(routes), ...parseRoutes6(routes6)]
  const v4 = parseTrie(trie)
  const v6 = parseAddresses6(addresses6)
  const used = interfacesInUse(interfaces, parsed, v6)
  const external = externalInterface(parsed, used)
  const { near, placed } = placeAddresses(v4, parsed, external?.name ?? null)
  const near6 = v6.filter(({ device }) => device === external?.name)
  const placed6 = v6.filter(({ device }) => device !== IPVS_INTERFACE)
  return {
    interfaces,
    external,
    further: used.filter((name) => name !== external?.name && !FORWARDING_INTERFACE.test(name)),
    addresses: [...v4, ...v6.map(({ address }) => address)],
    externalAddresses: [...near, ...near6.map(({ address }) => address)],
    interfaceAddresses: [...placed, ...placed6.map(({ address }) => address)],
  }
}

/**
 * Attributes IPv4 addresses to interfaces by the networks of the routes, because the tables do not name an address's
 * interface. If the external interface has no network (clouds that assign a /32), it gets the addresses in no network.
 */
function placeAddresses(v4: readonly string[], routes: readonly Route[], external: string | null) {
  const direct = routes.filter(({ mask }) => mask !== 0)
  const within = (address: string, { network, mask }: Route) => (ipv4Number(address) & mask) >>> 0 === network
  const near = v4.filter((address) => direct.some((route) => route.device === external && within(address, route)))
  const placed = v4.filter((address) => direct.some((route) => within(address, route)))
  if (near.length > 0 || external === null) return { near, placed }
  const unplaced = v4.filter((address) => !placed.includes(address)).slice(0, MAX_UNPLACED_ADDRESSES)
  return { near: unplaced, placed: [...placed, ...unplaced] }
}

/** Interfaces other than loopback with an address or a route, in the kernel's order. */
function interfacesInUse(
  interfaces: readonly string[],
  routes: readonly Route[],
  addresses6: readonly Address6[],
): string[] {
  const used = new Set([...routes, ...addresses6].map(({ device }) => device))
  return interfaces.filter((device) => device !== 'lo' && used.has(device))
}

/**
 * The interface of the default route: IPv4 before IPv6, lowest metric first. Without a default route, the first
 * interface in use.
 */
function externalInterface(routes: readonly Route[], used: readonly string[]): ExternalInterface | null {
  const defaults = routes.filter(({ isDefault }) => isDefault)
  const [best] = defaults.sort((left, right) => left.version - right.version || left.metric - right.metric)
  if (best !== undefined) return { name: best.device, by: 'default-route' }
  const [name] = used
  return name === undefined ? null : { name, by: 'address' }
}

/** /proc/net/dev: two heading lines, then `name: counters`. */
function parseDevices(text: string): string[] {
  const lines = text.split('\n').slice(2)
  return lines.map((line) => line.slice(0, line.lastIndexOf(':')).trim()).filter((name) => name !== '')
}

/** /proc/net/route: `Iface Destination Gateway Flags RefCnt Use Metric Mask …`; addresses are in native byte order. */
function parseRoutes(text: string): Route[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [device = '', destination = '', gateway = '', flags = '', , , metric = '', mask = ''] = line.split(/\s+/)
      const bits = Number.parseInt(flags, 16)
      if (mask === '' || (bits & RTF_UP) === 0 || (bits & RTF_REJECT) !== 0) return []
      const isDefault = destination === '00000000' && mask === '00000000'
      const direct = gateway === '00000000' && !isDefault
      return [
        {
          version: 4 as const,
          device,
          isDefault,
          metric: Number(metric),
          network: direct ? littleEndian(destination) : 0,
          mask: direct ? littleEndian(mask) : 0,
        },
      ]
    })
}

/** /proc/net/ipv6_route: `destination length source length gateway metric [references use] flags device`. */
function parseRoutes6(text: string): Route[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    if (fields.length < 8) return []
    const [flags = '', device = ''] = fields.slice(-2)
    const bits = Number.parseInt(flags, 16)
    if (device === 'lo' || (bits & RTF_UP) === 0 || (bits & RTF_REJECT) !== 0) return []
    const isDefault = fields[0] === IPV6_UNSPECIFIED && fields[1] === '00'
    return [{ version: 6 as const, device, isDefault, metric: Number.parseInt(fields[5], 16), network: 0, mask: 0 }]
  })
}

/** /proc/net/fib_trie: a local address is a leaf `|-- 10.0.0.7` followed by `/32 host LOCAL`. */
function parseTrie(text: string): string[] {
  const found = new Set<string>()
  for (const [, address = ''] of text.matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g)) {
    if (isIPv4(address) && !address.startsWith('127.')) found.add(address)
  }
  return [...found]
}

/** /proc/net/if_inet6: `address index length scope flags device`. */
function parseAddresses6(text: string): Address6[] {
  return text.split('\n').flatMap((line) => {
    const [digits = '', , , scope, , device = ''] = line.trim().split(/\s+/)
    if (scope !== SCOPE_GLOBAL || digits.length !== 32) return []
    return [{ device, address: ipv6Text(digits) }]
  })
}

/** RFC 5952, as the URL parser formats it. @param digits 32 hexadecimal digits */
const ipv6Text = (digits: string): string =>
  new URL(`http://[${digits.replace(/.{4}(?=.)/g, '$&:')}]`).hostname.slice(1, -1)

const littleEndian = (hex: string): number => {
  const word = Number.parseInt(hex, 16)
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
}

const ipv4Number = (text: string): number => text.split('.').reduce((word, byte) => word * 256 + Number(byte), 0)
