/** The traffic of each pod: the page /pods, `interceptor pods --traffic`, and the metrics of pods. Pure. */
import { z } from 'zod'
import type { InterfaceObservation } from '../ledger/observation.ts'
import { advice } from './advice.ts'
import { interfaceTotals } from './interface-totals.ts'

const counts = z.record(z.string(), z.number())

const POD_TRAFFIC = z.object({
  uid: z.string(),
  namespace: z.string().nullable(),
  name: z.string().nullable(),
  /** Where it is captured; empty: nowhere. */
  interfaces: z.array(z.string()),
  /**
   * Whether it uses the host's network. Its counts are then those of the host's interfaces, which all such pods share.
   */
  hostNetwork: z.boolean(),
  /** Why it is captured there, or not at all. */
  why: z.string(),
  frames: z.number(),
  /** TCP connections: `seen`, and of those the ones of each protocol, the ones left out, and the ones not recognised. */
  connections: counts,
  /** TLS connections by server name, and those of other protocols by protocol: the most frequent. */
  serverNames: counts,
  protocols: counts,
  requests: z.number(),
  responses: z.number(),
  pairs: z.object({ kept: z.number(), filtered: counts, dropped: counts }),
  /** Unpaired requests, by reason. */
  abandoned: counts,
  /** Packet time of the end of the last kept pair, microseconds; null: none was kept. */
  lastPairMicros: z.number().nullable(),
  /** Advice in one sentence without a full stop. */
  advice: z.string(),
})

/** One pod. */
export type PodTraffic = z.infer<typeof POD_TRAFFIC>

/** The page /pods. */
export const PODS_PAGE = z.object({
  node: z.string(),
  uptimeMs: z.number(),
  pods: z.array(POD_TRAFFIC),
  /** Further pods, which are not listed. */
  leftOut: z.number(),
})

export type PodsPage = z.infer<typeof PODS_PAGE>

/** The most pods of a page. */
export const MOST_PODS = 500

/** What discovery knows of a pod. */
export type ObservedPod = Pick<PodTraffic, 'uid' | 'namespace' | 'name' | 'hostNetwork' | 'why'> & {
  readonly isCaptured: boolean
  /** The pod's own, or the host's; empty also while they are being opened. */
  readonly interfaces: readonly InterfaceObservation[]
}

/** Adds up the counts of the pod's interfaces. @param outputFails the last attempt to write to the output failed */
export function podTraffic({ interfaces, isCaptured, ...facts }: ObservedPod, outputFails = false): PodTraffic {
  const seen = { ...facts, interfaces: interfaces.map(({ name }) => name), ...interfaceTotals(interfaces) }
  return { ...seen, advice: advice({ ...seen, isCaptured, outputFails }) }
}
