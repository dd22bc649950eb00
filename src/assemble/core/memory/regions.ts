/**
 * Where everything lies in the one memory. The host reserves the regions and calls `configure` (index.ts) once; pages of them
 * cost nothing until they are written.
 *
 *     0           4096     input               place              heads            output         tables                          pool
 *     +-----------+--------+-------------------+------------------+----------------+--------------+-------------------------------+-------+
 *     | templates | head   | block from a ring | window of a file | head made      | pair records | counters, hash keys, buckets, | cells |
 *     |           | scanner|                   | and its records  | whole          |              | records of each kind          |       |
 *     +-----------+--------+-------------------+------------------+----------------+--------------+-------------------------------+-------+
 *
 * The place is there where one thread reads files and assembles them (ring/frame-place.ts).
 *
 * Static fields are WebAssembly globals: reading one costs a load.
 */
import { Slab } from './slab'

/** Addresses of all regions, which `configure` (layout.ts) sets once. */
export class Region {
  /** Float64 counters, in the order of ASSEMBLE_COUNTERS. */
  static counts: usize = 0
  /** Keys of the tuple hash (tcp/tuple-hash.ts), 64 bits each. */
  static hashKeys: usize = 0
  /** The first flow of each bucket, or 0; `bucketMask` is their number less one. */
  static buckets: usize = 0
  static bucketMask: u32 = 0
  /**
   * Records of flows; of the further words of IPv6 addresses, and of what few flows need, in the same order; and of what few streams need
   * (tcp/flow.ts).
   */
  static flows: Slab = changetype<Slab>(0)
  static firstFlow: usize = 0
  static tails: usize = 0
  static extras: usize = 0
  static rareStates: Slab = changetype<Slab>(0)
  /**
   * Records of HTTP/1 connections, and of what few of them need, in the same order; of their messages in progress, of exchanges, and of
   * their responses (http1/connection.ts).
   */
  static connections: Slab = changetype<Slab>(0)
  static firstConnection: usize = 0
  static doubts: usize = 0
  static progress: Slab = changetype<Slab>(0)
  static exchanges: Slab = changetype<Slab>(0)
  static responses: Slab = changetype<Slab>(0)
  /** The ends of all lists (list.ts). */
  static lists: usize = 0
  /** Interfaces, by id, and their counters (interfaces.ts). */
  static interfaces: usize = 0
  static traffic: usize = 0
  /** Where a head that was cut between segments is joined for the scan. */
  static heads: usize = 0
  /** The last value of a Content-Type field (http1/head.ts). */
  static contentType: usize = 0
  /** What is looked up ahead of the frames in progress (look-ahead.ts). */
  static ahead: usize = 0
  /** The ends of connections as pairs name them (encode/ends.ts). */
  static ends: usize = 0
  /** The table of the pool's pages, and by size of cell the first page with room (memory/cells.ts). */
  static pages: usize = 0
  static roomy: usize = 0
  static pool: usize = 0
}
