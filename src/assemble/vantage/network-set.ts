/** IP networks, and whether an address lies in one of them. Addresses are words as the flow table has them. */
import { parseAddress } from '../../net/ip-address.ts'

interface Network {
  readonly ipv6: boolean
  readonly words: Int32Array
  readonly masks: Int32Array
}

/** Four big-endian words of an address, of which IPv4 uses the first. */
export interface AddressWords {
  readonly ipv6: boolean
  readonly words: Int32Array
}

/**
 * @param text IPv4, or IPv6 in any form
 * @throws TypeError when it is neither
 */
export function addressWords(text: string): AddressWords {
  const parsed = parseAddress(text)
  const words = new Int32Array(4)
  words.set(parsed)
  return { ipv6: parsed.length > 1, words }
}

/** An immutable set of networks. */
export class Networks {
  readonly #networks: readonly Network[]

  /** @param cidrs such as `10.0.0.0/8`, or bare addresses. @throws TypeError when one is neither */
  constructor(cidrs: readonly string[]) {
    this.#networks = cidrs.map(parseNetwork)
  }

  get empty(): boolean {
    return this.#networks.length === 0
  }

  contains({ ipv6, words }: AddressWords): boolean {
    for (const network of this.#networks) {
      if (network.ipv6 !== ipv6) continue
      let differing = 0
      for (let i = 0; i < 4; i++) differing |= (network.words[i] ^ words[i]) & network.masks[i]
      if (differing === 0) return true
    }
    return false
  }
}

function parseNetwork(cidr: string): Network {
  const [address = '', bits] = cidr.split('/')
  const { ipv6, words } = addressWords(address)
  const length = bits === undefined ? (ipv6 ? 128 : 32) : Number(bits)
  const masks = Int32Array.from({ length: 4 }, (_, i) => {
    const ones = Math.min(32, Math.max(0, length - i * 32))
    return ones === 0 ? 0 : -1 << (32 - ones)
  })
  return { ipv6, words, masks }
}
