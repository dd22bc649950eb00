/** Identifies, by its first bytes, a file that is not a capture, for an error message that suggests what to do. */

/** First bytes of formats that users are likely to pass by mistake. */
const KINDS: [magic: number[], what: string][] = [
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd archive; unpack it first: zstd -dc FILE | interceptor read -'],
  [[0x42, 0x5a, 0x68], 'a bzip2 archive; unpack it first: bzip2 -dc FILE | interceptor read -'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'an xz archive; unpack it first: xz -dc FILE | interceptor read -'],
  [[0x04, 0x22, 0x4d, 0x18], 'an lz4 archive; unpack it first: lz4 -dc FILE | interceptor read -'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive; unpack it first: unzip -p FILE | interceptor read -'],
  [[0x1f, 0x8b], 'gzip within gzip; unpack it first: gzip -dc FILE | interceptor read -'],
  [[0x73, 0x6e, 0x6f, 0x6f, 0x70, 0], 'a snoop capture; convert it first: editcap -F pcap FILE OUT'],
  [[0x47, 0x4d, 0x42, 0x55], 'a Network Monitor capture; convert it first: editcap -F pcap FILE OUT'],
  [[0x54, 0x52, 0x53, 0x4e, 0x49, 0x46, 0x46], 'a Sniffer capture; convert it first: editcap -F pcap FILE OUT'],
  [[0x7f, 0x45, 0x4c, 0x46], 'a program (ELF)'],
]

/**
 * @param head the file's first bytes, at least one
 * @returns what the file is instead of a capture, for a message
 */
export function describeNonCapture(head: Uint8Array): string {
  const known = KINDS.find(([magic]) => magic.every((byte, i) => head[i] === byte))
  if (known !== undefined) return `not a capture file but ${known[1]}`
  const start = head.subarray(0, 16)
  const isText = start.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13)
  if (isText) return `not a capture file but text: ${JSON.stringify(String.fromCharCode(...start))}`
  const hex = [...start.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  return `not a capture file (pcap or pcapng, or either gzipped): it begins with ${hex}`
}
