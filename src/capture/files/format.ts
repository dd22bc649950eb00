/** What the readers of capture formats and the file source owe each other. */
import type { FrameSink } from '../frame-sink.ts'
import type { Window } from './window.ts'

/**
 * A push machine over one file's bytes: it takes whole records from the window as they become available and never
 * throws, whatever the bytes are. The split of the input into reads changes nothing.
 */
export interface FormatReader {
  /** Takes what is whole; sets `window.wanted` to what the next step needs. */
  read(window: Window): void
  /** The input has ended with `window` holding what is left. */
  end(window: Window): void
}

/** Where a reader's findings go. */
export interface FormatHost {
  readonly sink: FrameSink
  /** Id of the interface of that name, announced at its first use; null is the file's own. */
  interfaceId(name: string | null): number
  /**
   * Something is wrong at `offset` of the unzipped file.
   *
   * @returns false when the file is not worth reading on
   */
  damage(offset: number, reason: string): boolean
}

/** A record that claims to be longer is damage: BIG TCP packets have 512 KiB. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024
