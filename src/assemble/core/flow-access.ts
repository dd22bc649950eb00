/** What the host reads and writes of a flow, rarely: an export for each, so that no offset is written out twice. */
import { Time } from './clock'
import { Flow, streamOf } from './tcp/flow'

export function flowInterface(flow: Flow): i32 {
  return flow.interfaceId
}
export function flowClient(flow: Flow): i32 {
  return flow.client
}
export function flowVantage(flow: Flow): i32 {
  return flow.vantage
}
export function setFlowVantage(flow: Flow, vantage: u8): void {
  flow.vantage = vantage
}
export function setFlowHostPending(flow: Flow, pending: bool): void {
  flow.hostPending = pending
}
export function setFlowTunnel(flow: Flow, tunnel: u8): void {
  flow.tunnel = tunnel
}
export function flowLastMicros(flow: Flow): f64 {
  return flow.lastMicros + Time.offset
}
export function flowIsWhole(flow: Flow): bool {
  return !flow.midstream && !flow.lossy
}
export function flowSynSeen(flow: Flow, direction: u32): bool {
  return streamOf(flow, direction).synSeen
}
export function flowFirstSeq(flow: Flow, direction: u32): i32 {
  return streamOf(flow, direction).firstSeq
}
export function setFlowPreamble(flow: Flow, present: bool): void {
  flow.preamble = present
}
export function setFlowProxied(flow: Flow, proxied: bool): void {
  flow.proxied = proxied
}
export function flowProxied(flow: Flow): bool {
  return flow.proxied
}
export function setFlowPods(flow: Flow, client: usize, server: usize): void {
  flow.clientPod = client
  flow.serverPod = server
}
