/** IP addresses in text, as the words a kernel filter compares. */
import { isIPv4, isIPv6 } from 'node:net'

/**
 * @param text an IPv4 or IPv6 address; an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is IPv4, as it is on the wire
 * @returns one unsigned 32-bit word, or four
 * @throws TypeError when it is neither
 */
export function parseAddress(text: string): number[] {
  if (isIPv4(text)) return [ipv4Word(text)]
  const zoneless = text.split('%')[0] ?? ''
  if (!isIPv6(zoneless)) throw new TypeError(`not an IP address: ${text}`)
  const words = ipv6Words(zoneless)
  const mapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff
  return mapped ? words.slice(3) : words
}

function ipv4Word(text: string): number {
  return text.split('.').reduce((word, byte) => word * 256 + Number(byte), 0)
}

function ipv6Words(text: string): number[] {
  const dotted = /(?<=:)[0-9.]+\.[0-9.]+$/.exec(text)?.[0]
  let plain = text
  if (dotted !== undefined) {
    const word = ipv4Word(dotted)
    plain = `${text.slice(0, -dotted.length)}${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`
  }
  const [head = '', tail] = plain.split('::')
  const groups = (part: string | undefined) => (part ? part.split(':').map((group) => Number.parseInt(group, 16)) : [])
  const before = groups(head)
  const after = groups(tail)
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
  return [0, 2, 4, 6].map((index) => ((all[index] << 16) | all[index + 1]) >>> 0)
}
