/** The limits and rules in force, written by the host. */
export class Settings {
  static messageBytes: i32 = 0
  static pairBytes: i32 = 0
  static responseTimeoutMicros: f64 = 0
  static idleMicros: f64 = 0
  /** Emit the pair of a response whose connection, or the input, ended within its body. */
  static incompleteResponses: bool = false
  /** Limits of exchanges and of messages in progress, over all connections. */
  static exchanges: u32 = 0
  static messages: u32 = 0
  /** Keep pairs that rules would filter. */
  static everything: bool = false
  /** Bit n is set if a rule may match a field name of n bytes, in a request; bit 31: any longer name. */
  static requestLengths: u32 = 0
  /** There are lists of `filter.include` that a request, a Host field, or a response decides. */
  static includesRequests: bool = false
  static includesHosts: bool = false
  static includesResponses: bool = false
  /** Shortest exchange that is kept; 0: any. */
  static minLatencyMicros: f64 = 0
  /** There is a selection (`--grep`, `--where`): the host judges each complete pair. */
  static hasSelection: bool = false
  /** The output only counts pairs: a record has the pair's length in place of its bytes. */
  static onlyCounts: bool = false
  /** Increases whenever the name of an end may have changed. */
  static namesVersion: i32 = 0
}
