/** Aggregates networks: the smallest list of CIDRs that contains exactly the same addresses. Pure. */
import { isIP } from 'node:net'
import { parseAddress } from './ip-address.ts'

interface Network {
  readonly bits: 32 | 128
  /** The address as a number, with the host bits cleared. */
  readonly address: bigint
  readonly prefix: number
}

/**
 * Merges adjacent networks and removes those contained in another.
 *
 * @param texts CIDRs, or single addresses; anything else is ignored
 * @returns CIDRs, IPv4 first, by address
 */
export function aggregateCidrs(texts: Iterable<string>): string[] {
  const networks = [...texts].flatMap((text) => parseNetwork(text) ?? [])
  networks.sort(
    (left, right) => left.bits - right.bits || compare(left.address, right.address) || left.prefix - right.prefix,
  )
  const joined: Network[] = []
  for (const network of networks) {
    if (joined.length > 0 && contains(joined.at(-1)!, network)) continue
    joined.push(network)
    while (joined.length > 1 && areHalves(joined.at(-2)!, joined.at(-1)!)) {
      joined.pop()
      const { bits, address, prefix } = joined.pop()!
      joined.push({ bits, address, prefix: prefix - 1 })
    }
  }
  return joined.map(formatNetwork)
}

const compare = (left: bigint, right: bigint): number => (left < right ? -1 : left > right ? 1 : 0)

function contains(outer: Network, inner: Network): boolean {
  const shift = BigInt(outer.bits - outer.prefix)
  return outer.bits === inner.bits && outer.prefix <= inner.prefix && outer.address >> shift === inner.address >> shift
}

/** Whether the two are the halves of the network with a prefix one bit shorter. */
function areHalves(left: Network, right: Network): boolean {
  if (left.bits !== right.bits || left.prefix !== right.prefix || left.prefix === 0) return false
  const shift = BigInt(left.bits - left.prefix)
  return (left.address >> shift) + 1n === right.address >> shift && (left.address >> shift) % 2n === 0n
}

function parseNetwork(text: string): Network | null {
  const [address = '', length] = text.split('/')
  if (isIP(address) === 0) return null
  const words = parseAddress(address)
  const bits = words.length === 1 ? 32 : 128
  const prefix = length === undefined ? bits : Number(length)
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > bits) return null
  const number = words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n)
  const shift = BigInt(bits - prefix)
  return { bits, address: (number >> shift) << shift, prefix }
}

function formatNetwork({ bits, address, prefix }: Network): string {
  const width = bits === 32 ? 8 : 16
  const parts = Array.from({ length: bits / width }, (_, index) => {
    const shift = BigInt(bits - width * (index + 1))
    return Number((address >> shift) & ((1n << BigInt(width)) - 1n))
  })
  if (bits === 32) return `${parts.join('.')}/${prefix}`
  const text = new URL(`http://[${parts.map((part) => part.toString(16)).join(':')}]/`).hostname.slice(1, -1)
  return `${text}/${prefix}`
}
