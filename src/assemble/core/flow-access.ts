/** What the host reads and writes of a flow, rarely: an export for each, so that no offset is written out twice. */
import { Time } from './clock'
import { Flow, streamOf } from './tcp/flow'

/** Id of the interface on which the connection is counted. */
export function flowInterface(flow: Flow): i32 {
  return flow.interfaceId
}

/** The direction that the client sends on; CLIENT_UNKNOWN (2): not known yet. */
export function flowClient(flow: Flow): i32 {
  return flow.client
}

/** A VANTAGE_ value (../vantage/vantage.ts); 0: that of the interface, which has no vantage point. */
export function flowVantage(flow: Flow): i32 {
  return flow.vantage
}

/** Part of `hostJudge`. */
export function setFlowVantage(flow: Flow, vantage: u8): void {
  flow.vantage = vantage
}

/** Part of `hostJudge`: the Host field of the first request decides whether pairs are kept. */
export function setFlowHostPending(flow: Flow, pending: bool): void {
  flow.hostPending = pending
}

/** A preamble was read that is a SOCKS handshake. @param tunnel a TUNNEL_ value (tcp/flow.ts) */
export function setFlowTunnel(flow: Flow, tunnel: u8): void {
  flow.tunnel = tunnel
}

/** When its last segment was captured, in microseconds by the system clock, as pairs have it. */
export function flowLastMicros(flow: Flow): f64 {
  return flow.lastMicros + Time.offset
}

/** Whether all of it was captured, from its first segment on. */
export function flowIsWhole(flow: Flow): bool {
  return !flow.midstream && !flow.lossy
}

/** Whether the SYN of a direction was captured, so that `flowFirstSeq` is valid. */
export function flowSynSeen(flow: Flow, direction: u32): bool {
  return streamOf(flow, direction).synSeen
}

/** Sequence number after the SYN of a direction. */
export function flowFirstSeq(flow: Flow, direction: u32): i32 {
  return streamOf(flow, direction).firstSeq
}

/** Whether the host has a parser for what precedes the protocol, which receives the next bytes (`hostPreamble`). */
export function setFlowPreamble(flow: Flow, present: bool): void {
  flow.preamble = present
}

/** Whether the host has the endpoints that a PROXY head named. */
export function setFlowProxied(flow: Flow, proxied: bool): void {
  flow.proxied = proxied
}

/** Whether the host has stored endpoints from a PROXY head (`setFlowProxied`). */
export function flowProxied(flow: Flow): bool {
  return flow.proxied
}

/** Part of `hostName`. @param client, server addresses of the pods' encoded bytes, behind their length; 0: no pod */
export function setFlowPods(flow: Flow, client: usize, server: usize): void {
  flow.clientPod = client
  flow.serverPod = server
}
