/** The interface between the readers of capture formats and the file input. */
import type { FileSink } from '../frame-sink.ts'
import type { Window } from './window.ts'

/**
 * Parses the records of one file as its bytes become available in the window. It never throws,
 * and its result does not depend on how the input is split into reads.
 */
export interface FormatReader {
  /** Parses the complete records; sets `window.wanted` to the bytes that the next step needs. */
  read(window: Window): void
  /** Ends the input; `window` holds the incomplete rest. */
  end(window: Window): void
}

/** Receives a reader's results. */
export interface FormatHost {
  readonly sink: FileSink
  /** Id of the interface of this name, announced at its first use; null: the file's own interface. */
  interfaceId(name: string | null): number
  /**
   * Reports damage at `offset` of the unzipped file; null: the file as a whole is none that can be read.
   *
   * @returns false when the file is not to be read any further
   */
  damage(offset: number | null, reason: string): boolean
}

/** Longest record; a longer one counts as damage. BIG TCP packets have 512 KiB. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024
