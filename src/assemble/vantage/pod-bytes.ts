/**
 * A pod as pairs contain it (docs/pair.md): MessagePack, encoded once for each pod and container and copied into pairs.
 */
import { Packr } from 'msgpackr/pack'
import type { EndpointPod, PodIdentity } from '../../pair/endpoint-pod.ts'

/** Standard MessagePack only, so that every language reads it. */
const packr = new Packr({ useRecords: false, variableMapSize: true })

/** The pod that encoded bytes belong to; weak, so that an entry disappears with its bytes. */
const identities = new WeakMap<Uint8Array, PodIdentity>()

/** The pod that bytes of `PodBytes.at` encode; null for null. */
export const identityOf = (bytes: Uint8Array | null): PodIdentity | null =>
  bytes === null ? null : (identities.get(bytes) ?? null)

/** One pod. What it returns is shared by all pairs of the pod and must not be changed. */
export class PodBytes {
  /** null: the API server has not reported the pod. */
  readonly namespace: string | null
  readonly #pod: EndpointPod
  readonly #byContainer = new Map<string, Uint8Array>()

  constructor(pod: EndpointPod) {
    this.#pod = pod
    this.namespace = pod.identity.namespace
  }

  /** @param port of its socket, where the pod is the server; 0 where it is unknown */
  at(port: number): Uint8Array {
    const { container, containersByPort } = this.#pod
    const name = containersByPort[port] ?? container ?? ''
    let bytes = this.#byContainer.get(name)
    if (bytes === undefined) {
      bytes = encode(this.#pod, name)
      identities.set(bytes, this.#pod.identity)
      this.#byContainer.set(name, bytes)
    }
    return bytes
  }
}

/** Keys in the order of the schema: readers that copy a pair without decoding it rely on the order. */
function encode({ identity }: EndpointPod, container: string): Uint8Array {
  const { name, namespace, uid, workload, labels } = identity
  const owner = workload === null ? null : { kind: workload.kind, name: workload.name }
  return Uint8Array.from(packr.pack({ name, namespace, uid, workload: owner, container, labels: { ...labels } }))
}
