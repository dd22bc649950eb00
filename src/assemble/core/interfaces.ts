/** Interfaces by id: facts, which the host writes, and counters, which it reads. */
import { Region } from './memory/regions'
import { Settings } from './settings'

/** The facts about one interface. Its counters are in another region (see `countOf`). */
@unmanaged
export class Interface {
  /** End of its last kept pair, in microseconds by the system clock, or 0. */
  lastKeptMicros: f64
  domain: i32
  /** TTL of the host's own packets, where it distinguishes the host's connections from forwarded ones; 0 elsewhere. */
  hopLimit: i32
  /** While `dirty`: the next interface whose counters the host has to read; 0: it is the last. */
  nextDirty: usize
  dirty: bool
  /** It has a vantage point: the host judges its connections and names their ends. */
  hasVantagePoint: bool
  /** Whether requests arrive through a mesh's proxy: one for each vantage. */
  behindProxy0: bool
  behindProxy1: bool
  behindProxy2: bool
  behindProxy3: bool
  /** `Settings.namesVersion` when the maps below were stored. */
  mapsVersion: i32
  /** Address and length of the `capture` map, up to the header of the flags: one for each vantage. */
  map0: usize
  mapBytes0: usize
  map1: usize
  mapBytes1: usize
  map2: usize
  mapBytes2: usize
  map3: usize
  mapBytes3: usize
}

/** Room for the counters of one interface. */
const COUNTERS_LOG2: usize = 10
/** A record of the table of interfaces; the host lays that out, by id. */
export const INTERFACE_BYTES: usize = (offsetof<Interface>() + 7) & ~7

class Dirty {
  static first: usize = 0
}

/** @param id of an interface that the host has announced */
export function interfaceAt(id: i32): Interface {
  return changetype<Interface>(Region.interfaces + <usize>id * INTERFACE_BYTES)
}

/** Replaces the facts about an interface, except its maps. */
export function setInterface(id: i32, domain: i32, hopLimit: i32, hasVantagePoint: bool): void {
  const entry = interfaceAt(id)
  entry.domain = domain
  entry.hopLimit = hopLimit
  entry.hasVantagePoint = hasVantagePoint
}

/** Sets its `capture` map for one vantage, which is valid until the names change. */
export function setMap(id: i32, vantage: u32, at: usize, length: usize, behindProxy: bool): void {
  const entry = changetype<usize>(interfaceAt(id))
  store<i32>(entry + offsetof<Interface>('mapsVersion'), Settings.namesVersion)
  store<usize>(entry + offsetof<Interface>('map0') + vantage * 8, at)
  store<usize>(entry + offsetof<Interface>('mapBytes0') + vantage * 8, length)
  store<bool>(entry + offsetof<Interface>('behindProxy0') + vantage, behindProxy)
}

/** Address of the `capture` map for a vantage; 0: none was stored. */
export function mapOf(entry: Interface, vantage: u32): usize {
  return load<usize>(changetype<usize>(entry) + offsetof<Interface>('map0') + vantage * 8)
}

/** Length of that map, up to the header of the flags. */
export function mapBytesOf(entry: Interface, vantage: u32): usize {
  return load<usize>(changetype<usize>(entry) + offsetof<Interface>('mapBytes0') + vantage * 8)
}

/** Whether requests arrive through a mesh's proxy, so that X-Forwarded-For names the client before it. */
export function isBehindProxy(entry: Interface, vantage: u32): bool {
  return load<bool>(changetype<usize>(entry) + offsetof<Interface>('behindProxy0') + vantage)
}

/** Counts for an interface. @param counter offset of a counter */
export function countOf(id: i32, counter: usize): void {
  const entry = interfaceAt(id)
  const at = Region.traffic + ((<usize>id) << COUNTERS_LOG2) + counter
  store<f64>(at, load<f64>(at) + 1)
  if (entry.dirty) return
  entry.dirty = true
  entry.nextDirty = Dirty.first
  Dirty.first = changetype<usize>(entry)
}

/** The first interface of which something was counted since `clearDirty`, or 0; `nextDirty` links the others. */
export function firstDirty(): usize {
  return Dirty.first
}

/** Id of an interface that `firstDirty` lists. */
export function interfaceId(entry: usize): i32 {
  return <i32>((entry - Region.interfaces) / INTERFACE_BYTES)
}

/** The next one of that list, or 0. */
export function nextDirty(entry: usize): usize {
  return changetype<Interface>(entry).nextDirty
}

/** When its last kept pair ended, in microseconds as pairs have them; 0: none was kept. */
export function lastKept(entry: usize): f64 {
  return changetype<Interface>(entry).lastKeptMicros
}

/** Empties that list: the host has read the counters of its interfaces. */
export function clearDirty(): void {
  for (let at = Dirty.first; at !== 0; ) {
    const entry = changetype<Interface>(at)
    entry.dirty = false
    at = entry.nextDirty
  }
  Dirty.first = 0
}
