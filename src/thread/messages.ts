/** What a capture worker and the shipper post to the main thread. Frames and counters never travel this way. */
import type { Failure } from '../errors.ts'
import type { LogFields, LogLevel } from '../log/folded-log.ts'

export type FromWorker =
  /** The worker has started its work. */
  | { t: 'ready' }
  /** A log record; the main thread writes it. */
  | { t: 'log'; level: LogLevel; message: string; fields?: LogFields }
  /**
   * A capture file is damaged or truncated, or holds frames that cannot be read; reading continued where possible. `offset`
   * in bytes of the unzipped file; null: no place in particular.
   */
  | { t: 'damage'; path: string; offset: number | null; reason: string }
  /** Bytes of a capture file read so far, of `totalBytes`; null: unknown. */
  | { t: 'progress'; path: string; bytes: number; totalBytes: number | null }
  /** An interface stopped delivering frames. The worker waits for it and posts `interfaceBack` when it returns. */
  | { t: 'interfaceLost'; interfaceId: number; name: string; reason: 'down' | 'deleted' }
  | { t: 'interfaceBack'; interfaceId: number; name: string }
  /** The worker will not touch this socket or its ring again. */
  | { t: 'closed'; interfaceId: number }
  /** The ring of an interface does not hold ten seconds of its traffic. */
  | { t: 'ringShort'; interfaceId: number }
  /** As `closed`, of the socket that another one of the same interface continues. */
  | { t: 'replaced'; interfaceId: number }
  /** The shipper is about to hold pairs in this memory, until it posts `released`. */
  | { t: 'held'; id: number; memory: SharedArrayBuffer }
  /** @see HeldMemory.release */
  | { t: 'released'; id: number; inUse: boolean }
  /** The shipper's output accepts no more pairs: `-c N` is reached, or its reader has closed it. */
  | { t: 'outputEnded' }
  /**
   * Concatenated pairs for a reader in the main thread; `ends` has the offset behind each. Only `interceptor ui` reads
   * them.
   */
  | { t: 'pairs'; bytes: Uint8Array; ends: readonly number[] }
  /** The input has ended and every ring is closed, or the drain is complete. */
  | { t: 'done' }
  /** The worker cannot continue, and a restart would not help. */
  | ({ t: 'failed' } & Failure)
