/** A folder that looks like a host's /proc, with everything that discovery reads. Deleted after the test. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export const HOST_NETNS = 4026531840
/** Seconds for which the host has been up: long after every process began. */
export const UPTIME = 100_000

export interface FakeProcess {
  pid: number
  /** Words of the command line; absent: a kernel thread. */
  command?: readonly string[]
  /** The kernel's name for it. */
  kernelName?: string
  netns?: number
  /** Path in version 2's hierarchy, or whole lines. */
  cgroup?: string
  env?: Record<string, string>
  startTicks?: number
  network?: FakeNetwork
  /** Inodes of the sockets for which it has descriptors. */
  sockets?: readonly number[]
}

/** The content of /proc/<pid>/net. */
export interface FakeNetwork {
  devices?: readonly string[]
  /** Lines of /proc/net/route without the heading, fields separated by tabs. */
  routes?: readonly string[]
  /** Lines of /proc/net/ipv6_route. */
  routes6?: readonly string[]
  /** The namespace's own IPv4 addresses. */
  addresses?: readonly string[]
  /** Lines of /proc/net/if_inet6. */
  addresses6?: readonly string[]
  /** Lines of /proc/net/tcp. */
  tcp?: readonly string[]
}

/** A pod's network as most plug-ins make it: eth0 in 10.244.0.0/24 with the default route. */
export const podNetwork = (host: number): FakeNetwork => ({
  devices: ['lo', 'eth0'],
  routes: [route('eth0', '00000000', '0100F40A', '0003'), route('eth0', '0000F40A', '00000000', '0001', '00FFFFFF')],
  addresses: [`10.244.0.${host}`],
})

/** A line of /proc/net/route. Addresses are little-endian: 10.244.0.1 is 0100F40A. */
export const route = (device: string, to: string, via: string, flags: string, mask = '00000000', metric = 0): string =>
  [device, to, via, flags, 0, 0, metric, mask, 0, 0, 0].join('\t')

/** A line of /proc/net/tcp. @param address in hexadecimal, little-endian; state 0A is listening */
export const tcpSocket = (port: number, inode: number, address = '00000000', state = '0A'): string =>
  `  0: ${address}:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state} 0:0 00:0 0 0 0 ${inode} 1 0`

/** Files of one process by their names. */
type Files = Record<string, string>

export class FakeProc {
  readonly root = mkdtempSync(join(tmpdir(), 'interceptor-proc-'))
  #removed = 0

  /** @param processes in addition to pid 1, the host's first process */
  static create(t: TestContext, ...processes: FakeProcess[]): FakeProc {
    const proc = new FakeProc()
    t.after(() => rmSync(proc.root, { recursive: true }))
    writeFileSync(join(proc.root, 'uptime'), `${UPTIME}.00 1.00\n`)
    proc.put({ pid: 1, command: ['/sbin/init'], cgroup: '/init.scope', network: podNetwork(250) }, ...processes)
    return proc
  }

  /** Adds processes, replacing those with the same pid. */
  put(...processes: FakeProcess[]): void {
    for (const process of processes) {
      this.remove(process.pid)
      const folder = join(this.root, String(process.pid))
      mkdirSync(join(folder, 'ns'), { recursive: true })
      mkdirSync(join(folder, 'net'))
      symlinkSync(`net:[${process.netns ?? HOST_NETNS}]`, join(folder, 'ns', 'net'))
      mkdirSync(join(folder, 'fd'))
      for (const [fd, inode] of (process.sockets ?? []).entries()) {
        symlinkSync(`socket:[${inode}]`, join(folder, 'fd', String(fd)))
      }
      for (const [name, text] of Object.entries(filesOf(process))) writeFileSync(join(folder, name), text)
    }
  }

  /** Replaces the text of one file of a process, which stays the same process. */
  rewrite(pid: number, file: string, text: string): void {
    writeFileSync(join(this.root, String(pid), file), text)
  }

  /** Removes a process, or one file of it. */
  remove(pid: number, file = ''): void {
    const path = join(this.root, String(pid), file)
    // Rename the folder instead of deleting it: a file system may reuse its inode for the next folder, which proc never
    // does.
    if (file === '' && existsSync(path)) renameSync(path, join(this.root, `removed.${this.#removed++}`))
    else rmSync(path, { recursive: true, force: true })
  }
}

/** The files that discovery reads of a process, except `ns/net`. */
export const PROCESS_FILES = ['stat', 'cgroup', 'cmdline', 'environ', 'net/dev', 'net/route', 'net/fib_trie', 'ns/net']

function filesOf({
  pid,
  command = [],
  kernelName,
  cgroup = '/',
  env = {},
  startTicks = pid,
  network = {},
}: FakeProcess): Files {
  const name = kernelName ?? command[0]?.split('/').at(-1)?.slice(0, 15) ?? 'kthread'
  return {
    stat: `${pid} (${name}) S 1 ${'0 '.repeat(17)}${startTicks} 0\n`,
    cgroup: cgroup.startsWith('/') ? `0::${cgroup}\n` : cgroup,
    cmdline: command.map((word) => `${word}\0`).join(''),
    environ: Object.entries(env)
      .map(([key, value]) => `${key}=${value}\0`)
      .join(''),
    ...networkFiles(network),
  }
}

function networkFiles({
  devices = ['lo'],
  routes = [],
  routes6 = [],
  addresses = [],
  addresses6 = [],
  tcp = [],
}: FakeNetwork): Files {
  const lines = (items: readonly string[]) => items.map((item) => `${item}\n`).join('')
  const leaves = ['127.0.0.1', ...addresses].map((address) => `     |-- ${address}\n        /32 host LOCAL\n`)
  return {
    'net/dev': `Inter-|   Receive\n face |bytes\n${lines(devices.map((device) => `${device.padStart(6)}: 1 2 3`))}`,
    'net/route': `Iface\tDestination\n${lines(routes)}`,
    'net/ipv6_route': lines(routes6),
    'net/fib_trie': `Main:\n  +-- 0.0.0.0/0 3 0 5\n${leaves.join('')}Local:\n${leaves.join('')}`,
    'net/if_inet6': lines(addresses6),
    'net/sockstat': `sockets: used 9\nTCP: inuse ${tcp.length} orphan 0 tw 0 alloc 9 mem 1\n`,
    'net/tcp': `  sl  local_address rem_address\n${lines(tcp)}`,
  }
}
