/** The section `capture` of the configuration. */
import { TUNNEL_NAMES, TUNNEL_PATTERN } from '../net/tunnels.ts'
import { choice, flag, integer, list, section, size, text } from './key-kinds.ts'
import { INTERFACE_ITEM } from './list-items.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

export const capture = section('Live capture.', {
  source: choice(
    ['auto', 'af-packet', 'cap'],
    'auto',
    'How to capture: `af-packet` (Linux packet sockets), `cap` (libpcap), or `auto`: the first of these that works.',
  ),
  interfaces: list(
    [],
    'Interfaces of the host that the agent captures in addition to the pods it discovers.',
    INTERFACE_ITEM,
  ),
  filter: text(
    '',
    'BPF expression as for tcpdump. A frame must match it and the built-in filter, which rejects frames that cannot carry HTTP. Needs libpcap.',
  ),
  tunnels: list(
    [...TUNNEL_NAMES],
    'Tunnels whose inner packets are captured, in `capture`, in `read` and on the `interfaces` above; pods are captured without. A UDP tunnel may name its port, as in `vxlan:6635`; without one it has its usual ports. Empty: none.',
    {
      pattern: TUNNEL_PATTERN,
      error: `must be a tunnel: ${TUNNEL_NAMES.join(', ')}; UDP tunnels also with a port, such as vxlan:6635`,
    },
  ),
  snapLength: size(
    262_144,
    'Bytes captured of each frame. Bodies have gaps if this is below the interface’s largest segment: up to 64 KiB with offload, more with BIG TCP. At most a 64th of `capture.ringBytes`, but at least 124 KiB: for frames of BIG TCP set `capture.ringBytes` to 32MiB.',
    64,
    16 * MIB,
  ),
  ringBytes: size(
    '8MiB',
    'Size of the kernel ring of each interface, of those that the agent captures at most.',
    256 * KIB,
    GIB,
  ),
  initialRingBytes: size(
    '2MiB',
    'Size that the kernel ring of each interface of the agent begins with. Once it does not hold ten seconds of the interface’s traffic, it grows, up to `capture.ringBytes`.',
    256 * KIB,
    GIB,
  ),
  maxWorkers: integer(
    8,
    'Most capture workers, never more than one per four CPUs. A worker captures several interfaces when there are more interfaces than workers.',
    1,
    256,
  ),
  promiscuous: flag(false, 'Also capture frames that are not addressed to the interface.'),
  warmUp: flag(
    true,
    'Process generated frames at the start, until real ones arrive, so that a burst right after the start is not lost to code that is slow the first time. It takes about 0.1 s of CPU time.',
  ),
})
