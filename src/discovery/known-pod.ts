/** A pod of this node as the API server tells it: as much of it as decides what is captured and how it is called. */
export interface KnownPod {
  readonly uid: string
  /** The uid in the paths of the node's cgroups: a static pod's is not the API's, but the hash of its file. */
  readonly cgroupUid: string
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Its addresses, canonical text (RFC 5952). With the host's network they are the node's. */
  readonly addresses: readonly string[]
  readonly hostNetwork: boolean
  /** Pending, Running, Succeeded, Failed or Unknown; after the third and fourth its addresses may be another's. */
  readonly phase: string
  /** When the node took it up, before it had an address. Microseconds since the Unix epoch; null: not known. */
  readonly startMicros: number | null
  readonly containers: readonly KnownContainer[]
  /** What it belongs to at the end of the chain of owners; null: to nothing. */
  readonly workload: { readonly kind: string; readonly name: string } | null
}

export interface KnownContainer {
  readonly name: string
  /** sidecar: an init container that goes on running (`restartPolicy: Always`). */
  readonly role: 'app' | 'sidecar' | 'init' | 'ephemeral'
  /** TCP ports it declares. */
  readonly ports: readonly number[]
  /** As in a cgroup's path; null: it has not been started. */
  readonly id: string | null
}
