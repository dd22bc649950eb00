/** Which pod held an address, and when. One per assembler; only messages of the main thread change it. */
import type { AddressEntry, AddressHolder } from '../../pair/endpoint-pod.ts'
import { type AddressWords, addressWords } from './network-set.ts'
import { PodBytes } from './pod-bytes.ts'

/** A pod's first packets may be captured before its address is known, and its last ones after its end. */
const SLACK_MICROS = 10_000_000

interface Holder {
  readonly pod: PodBytes
  readonly fromMicros: number
  readonly toMicros: number
}

interface Entry {
  readonly key: AddressWords
  readonly holders: readonly Holder[]
}

/** Times are those of packets, in microseconds. */
export class PodDirectory {
  /** By a hash of the address, so that a lookup creates no string. */
  readonly #entries = new Map<number, Entry[]>()
  readonly #namespaces = new Map<string, number>()

  /** Replaces the holders of these addresses. */
  set(entries: readonly AddressEntry[]): void {
    for (const { address, holders } of entries) {
      const key = addressWords(address)
      this.#remove(key)
      if (holders.length > 0) this.#add({ key, holders: holders.map(holder) })
    }
  }

  /** Whether a known pod is in that namespace. */
  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace)
  }

  /** @returns the pod that held the address at a packet time, microseconds; null when none is known */
  find(key: AddressWords, micros: number): PodBytes | null {
    const entry = this.#entries.get(hash(key))?.find((other) => same(other.key, key))
    if (entry === undefined) return null
    let found: PodBytes | null = null
    for (const { pod, fromMicros, toMicros } of entry.holders) {
      const sure = micros >= fromMicros && micros <= toMicros
      const nearly = micros >= fromMicros - SLACK_MICROS && micros <= toMicros + SLACK_MICROS
      if (sure) return pod
      if (nearly && (found === null || micros >= fromMicros)) found = pod
    }
    return found
  }

  #add(entry: Entry): void {
    const at = hash(entry.key)
    const bucket = this.#entries.get(at)
    if (bucket === undefined) this.#entries.set(at, [entry])
    else bucket.push(entry)
    this.#countNamespaces(entry, 1)
  }

  #remove(key: AddressWords): void {
    const at = hash(key)
    const bucket = this.#entries.get(at)
    const entry = bucket?.find((other) => same(other.key, key))
    if (bucket === undefined || entry === undefined) return
    this.#countNamespaces(entry, -1)
    const rest = bucket.filter((other) => other !== entry)
    if (rest.length === 0) this.#entries.delete(at)
    else this.#entries.set(at, rest)
  }

  #countNamespaces({ holders }: Entry, step: number): void {
    for (const { pod } of holders) {
      if (pod.namespace === null) continue
      const count = (this.#namespaces.get(pod.namespace) ?? 0) + step
      if (count === 0) this.#namespaces.delete(pod.namespace)
      else this.#namespaces.set(pod.namespace, count)
    }
  }
}

const holder = ({ pod, fromMicros, toMicros }: AddressHolder): Holder => ({
  pod: new PodBytes(pod),
  fromMicros,
  toMicros: toMicros ?? Number.POSITIVE_INFINITY,
})

function hash({ words }: AddressWords): number {
  let mixed = 0
  for (let i = 0; i < 4; i++) mixed = Math.imul(mixed ^ words[i], 0x9e3779b1)
  return mixed
}

const same = (a: AddressWords, b: AddressWords): boolean =>
  a.ipv6 === b.ipv6 && a.words.every((word, i) => word === b.words[i])
