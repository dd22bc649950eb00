/**
 * Real traffic, recorded by tcpdump and converted by editcap to every format: the reader must find the same segments as
 * tshark.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { needs } from '../../../rig/needs.ts'
import { Namespace } from '../../../rig/netns.ts'
import { readFiles, type WorkerRun } from '../worker-rig.ts'

const skip = needs('root', 'ip', 'tcpdump', 'tshark', 'python')

/** A server and a client in one: small and large responses, over IPv4 and IPv6. */
const TRAFFIC = `
import http.server, socket, threading, urllib.request
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        body = b'x' * int(self.path[1:])
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = Server(('::', 21001), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for host in ('127.0.0.1', '[::1]'):
    for size in (0, 10, 1000, 5000, 300000):
        urllib.request.urlopen(f'http://{host}:21001/{size}').read()
`

/** One TCP segment, as tshark and the intake report it. */
interface Segment {
  micros: number
  ports: string
  sequence: number
  length: number
}

function fromTshark(path: string): Segment[] {
  const fields = ['frame.time_epoch', 'tcp.srcport', 'tcp.dstport', 'tcp.seq_raw', 'tcp.len']
  const args = ['-r', path, '-Y', 'tcp', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])]
  const lines = execFileSync('tshark', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const [time, source, destination, sequence, length] = line.split('\t')
      const [seconds, fraction] = time.split('.')
      const micros = Number(seconds) * 1e6 + Number(fraction.slice(0, 6))
      return { micros, ports: `${source} ${destination}`, sequence: Number(sequence), length: Number(length) }
    })
}

const fromRun = (run: WorkerRun): Segment[] =>
  run.packets.map((packet, i) => {
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
    const at = packet[0] >> 4 === 4 ? (packet[0] & 15) * 4 : 40
    const length = packet.length - at - (view.getUint8(at + 12) >> 4) * 4
    const ports = `${view.getUint16(at)} ${view.getUint16(at + 2)}`
    return { micros: run.micros[i], ports, sequence: view.getUint32(at + 4), length }
  })

/** Records what `TRAFFIC` does in a namespace of its own, once per link type. */
async function record(folder: string): Promise<void> {
  const namespace = Namespace.create()
  try {
    const dumps = [
      ['-i', 'lo', '-w', join(folder, 'ethernet.pcap')],
      ['-i', 'any', '-y', 'LINUX_SLL', '-w', join(folder, 'sll.pcap')],
      ['-i', 'any', '-y', 'LINUX_SLL2', '-w', join(folder, 'sll2.pcap')],
      ['-i', 'lo', '-s', '100', '-w', join(folder, 'snapped.pcap')],
    ].map((args) => namespace.spawn('tcpdump', '-U', '--immediate-mode', '-B', '16384', ...args))
    await Promise.all(dumps.map((dump) => once(dump.stderr!, 'data')))
    namespace.exec('python3', '-c', TRAFFIC)
    namespace.exec('sleep', '0.5')
    for (const dump of dumps) dump.kill('SIGINT')
    await Promise.all(dumps.map((dump) => once(dump, 'close')))
    // The same without its Ethernet headers.
    const args = [
      '-C',
      '14',
      '-L',
      '-T',
      'rawip',
      '-F',
      'pcap',
      join(folder, 'ethernet.pcap'),
      join(folder, 'raw.pcap'),
    ]
    execFileSync('editcap', args, { stdio: 'ignore' })
  } finally {
    namespace.delete()
  }
}

describe('readFiles: finds the same segments as tshark', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-tshark-'))
  before(() => record(folder))
  after(() => rmSync(folder, { recursive: true }))

  for (const link of ['ethernet', 'sll', 'sll2', 'raw', 'snapped']) {
    // No format changes a segment, so tshark, which is slow to start, reads the recording alone.
    let expected: Segment[] = []
    before(() => {
      expected = fromTshark(join(folder, `${link}.pcap`))
      assert.ok(expected.length > 50)
    })
    for (const format of ['pcap', 'nsecpcap', 'modpcap', 'pcapng']) {
      test(`${link}, ${format}`, async () => {
        const path = join(folder, `${link}.${format}.capture`)
        execFileSync('editcap', ['-F', format, join(folder, `${link}.pcap`), path], { stdio: 'ignore' })
        const run = await readFiles([path])
        assert.deepEqual(
          run.messages.filter(({ t }) => t === 'damage' || t === 'failed'),
          [],
        )
        const ours = fromRun(run)
        // tshark reports the length before truncation, the intake queues the captured bytes.
        const isSnapped = link === 'snapped'
        assert.equal(run.count('frames.truncated') > 0, isSnapped)
        const compared = (segment: Segment): Segment => (isSnapped ? { ...segment, length: 0 } : segment)
        assert.deepEqual(ours.map(compared), expected.map(compared))
      })
    }
  }
})
