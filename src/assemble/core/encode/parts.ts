/** The constant parts of a pair, which the host encodes once: address and length of each, and where values are patched in. */
export class Part {
  /** The table of PART_ entries (core/head/layout.ts). */
  static head: usize = 0
  /** Upper bound of a message's bytes before its body, without those of its start line and fields. */
  static headOverhead: usize = 0
  /** The keys that follow a body. */
  static tail: usize = 0
  static tailBytes: usize = 0
  static bodySizeAt: usize = 0
  /** Everything before the client's address. */
  static prefix: usize = 0
  static prefixBytes: usize = 0
  static idAt: usize = 0
  static requestStartAt: usize = 0
  static requestEndAt: usize = 0
  static responseStartAt: usize = 0
  static responseEndAt: usize = 0
  /** An endpoint up to its address, and from there up to its pod; its port is at `portAt` in the latter. */
  static endpoint: usize = 0
  static endpointBytes: usize = 0
  static port: usize = 0
  static portBytes: usize = 0
  static portAt: usize = 0
  /** Keys that follow the client's pod and the server's pod. */
  static server: usize = 0
  static serverBytes: usize = 0
  static request: usize = 0
  static requestBytes: usize = 0
  /** Names of flags: address and length of each, in the order of `writeFlags` (encode/pair.ts). */
  static flags: usize = 0
}
