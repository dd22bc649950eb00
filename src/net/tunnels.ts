/**
 * The tunnels whose contents can be decoded, as `capture.tunnels` names them. Kernel filter, libpcap expression and decoder
 * are all derived from one parsed list.
 */

/** Tunnels known by their IP protocol numbers (IANA). */
const IP_PROTOCOLS = {
  /** IPv4 and IPv6 in either: IP-in-IP, SIT, 6in4. */
  ipip: [4, 41],
  /** GRE with IP, Ethernet (NVGRE), PPP (PPTP) or MPLS inside. */
  gre: [47],
  /** Port mirroring over GRE, types I to III. */
  erspan: [47],
  /** Ethernet in IP (RFC 3378). */
  etherip: [97],
} as const

/** Tunnels known by their UDP ports: IANA's, and Linux's own for VXLAN, which Flannel still uses. */
const UDP_PORTS = {
  vxlan: [4789, 8472],
  'vxlan-gpe': [4790],
  geneve: [6081],
  gue: [6080],
  'gre-in-udp': [4754],
  'mpls-in-udp': [6635],
  gtp: [2152],
  l2tp: [1701],
  teredo: [3544],
} as const

/**
 * Tunnels with their port at one end, which answers from there to any port: L2TP (RFC 2661 §8.1) and Teredo (RFC 4380 §5.2).
 * Packets of all others have it as their destination.
 */
const ANSWERING: readonly string[] = ['l2tp', 'teredo']

export type IpTunnel = keyof typeof IP_PROTOCOLS
export type UdpTunnel = keyof typeof UDP_PORTS

/** Whether packets from the tunnel's port belong to it, and not only packets to it. */
export const answersFromPort = (tunnel: UdpTunnel): boolean => ANSWERING.includes(tunnel)

/** All names, in the order in which the reference lists them. */
export const TUNNEL_NAMES = [...Object.keys(IP_PROTOCOLS), ...Object.keys(UDP_PORTS)] as readonly (
  | IpTunnel
  | UdpTunnel
)[]

/** A parsed list of tunnels. */
export interface Tunnels {
  readonly ip: ReadonlySet<IpTunnel>
  /** By UDP port. */
  readonly udp: ReadonlyMap<number, UdpTunnel>
}

const isIpTunnel = (name: string): name is IpTunnel => Object.hasOwn(IP_PROTOCOLS, name)
const isUdpTunnel = (name: string): name is UdpTunnel => Object.hasOwn(UDP_PORTS, name)

const PORT = '(?:[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])'

/** One tunnel: `gre`, `vxlan` (at its usual ports) or `vxlan:6635` (at this port). */
export const TUNNEL_PATTERN = new RegExp(
  `^(?:${Object.keys(IP_PROTOCOLS).join('|')}|(?:${Object.keys(UDP_PORTS).join('|')})(?::${PORT})?)$`,
)

/**
 * @param names as TUNNEL_PATTERN accepts them; where two name one port the later one holds
 * @throws TypeError for any other text
 */
export function parseTunnels(names: readonly string[]): Tunnels {
  const ip = new Set<IpTunnel>()
  const udp = new Map<number, UdpTunnel>()
  for (const text of names) {
    if (!TUNNEL_PATTERN.test(text)) throw new TypeError(`not a tunnel: ${text}`)
    const [name = '', port] = text.split(':')
    if (isIpTunnel(name)) ip.add(name)
    else if (isUdpTunnel(name)) {
      for (const each of port === undefined ? UDP_PORTS[name] : [Number(port)]) udp.set(each, name)
    }
  }
  return { ip, udp }
}

/** All tunnels, at their usual ports. */
export const ALL_TUNNELS: Tunnels = parseTunnels(TUNNEL_NAMES)

/** IP protocol numbers of the tunnels in the list that have one of their own. */
export const ipProtocolsOf = ({ ip }: Tunnels): number[] => [...new Set([...ip].flatMap((name) => IP_PROTOCOLS[name]))]
