/** The capture point of a pod of which nothing but the given is known. */
import type { VantagePoint } from '../../src/target/interface-info.ts'

export const vantagePoint = (more: Partial<VantagePoint> = {}): VantagePoint => ({
  scope: 'pod',
  pod: null,
  addresses: [],
  outboundPorts: [],
  listeners: {},
  hopLimit: 0,
  tunnels: false,
  bypass: null,
  ...more,
})
