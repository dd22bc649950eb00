/**
 * A program for privileges.test.ts: opens what capturing a pod opens, a ring on eth0 inside the network namespace of one of
 * its processes. `node open-in-pod.js PATH`, where PATH is the namespace's. Prints `opened`, else why not.
 */
import { closeAfPacket, openAfPacket } from '../../src/capture/live/af-packet-open.ts'
import { errorText } from '../../src/errors.ts'

const MIB = 1024 * 1024

try {
  const opened = openAfPacket({
    interfaceId: 0,
    info: { name: 'eth0', vantage: 'server', mesh: null, domain: 0, view: null },
    device: 'eth0',
    netns: process.argv[2] ?? '',
    filter: '',
    exclude: [],
    snapLength: 65536,
    ringBytes: MIB,
    promiscuous: false,
  })
  closeAfPacket(opened)
  console.log('opened')
} catch (error) {
  console.log(errorText(error))
}
