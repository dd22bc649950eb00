/**
 * Tests that need a part not every machine has ask for it here. Missing parts skip the test with a reason that names
 * the mend and that the runner repeats in its closing lines; with CI=true they let the test run and fail instead.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cgroupMount } from './cgroup-mount.ts'

const inPath = (program: string): boolean =>
  ['/usr/sbin', '/sbin', ...(process.env['PATH'] ?? '').split(':')].some((folder) => existsSync(`${folder}/${program}`))

const pythonHas = (module: string): boolean => spawnSync('python3', ['-c', `import ${module}`]).status === 0

const loads = (name: string): boolean => {
  try {
    createRequire(import.meta.url)(name)
    return true
  } catch {
    return false
  }
}

/** Every optional part: whether it is here, and how to get it. */
const PARTS = {
  root: { here: () => process.getuid?.() === 0, mend: 'run the tests as root' },
  linux: { here: () => process.platform === 'linux', mend: 'run the tests on Linux' },
  x64: { here: () => process.arch === 'x64', mend: 'run the tests on x86-64' },
  npm: { here: () => inPath('npm'), mend: 'install npm' },
  cgroup: {
    here: () => process.platform === 'linux' && (cgroupMount('v1') ?? cgroupMount('v2')) !== null,
    mend: 'run the tests where cgroups can be made',
  },
  ip: { here: () => inPath('ip'), mend: 'install iproute2' },
  iptables: { here: () => inPath('iptables'), mend: 'install iptables' },
  ethtool: { here: () => inPath('ethtool'), mend: 'install ethtool' },
  script: { here: () => inPath('script'), mend: 'install bsdutils or util-linux' },
  unshare: { here: () => inPath('unshare'), mend: 'install util-linux' },
  buildah: { here: () => inPath('buildah'), mend: 'install buildah' },
  debootstrap: { here: () => inPath('debootstrap'), mend: 'install debootstrap' },
  setpriv: { here: () => inPath('setpriv'), mend: 'install util-linux' },
  userns: {
    here: () => spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0,
    mend: 'install util-linux and allow user namespaces',
  },
  tcpdump: { here: () => inPath('tcpdump'), mend: 'install tcpdump' },
  tcpreplay: { here: () => inPath('tcpreplay'), mend: 'install tcpreplay' },
  tshark: { here: () => inPath('tshark'), mend: 'install tshark' },
  java: { here: () => inPath('java') && inPath('mvn'), mend: 'install a JDK 17 and Maven' },
  kcat: { here: () => inPath('kcat'), mend: 'install kcat' },
  go: { here: () => inPath('go'), mend: 'install Go 1.25 or later' },
  etcd: { here: () => inPath('etcd'), mend: 'install etcd-server' },
  openssl: { here: () => inPath('openssl'), mend: 'install openssl' },
  jq: { here: () => inPath('jq'), mend: 'install jq' },
  python: { here: () => inPath('python3'), mend: 'install python3' },
  'python-msgpack': { here: () => pythonHas('msgpack'), mend: 'install python3-msgpack' },
  libpcap: {
    here: () => existsSync('/usr/lib/x86_64-linux-gnu/libpcap.so.0.8') || inPath('tcpdump'),
    mend: 'install libpcap0.8',
  },
  cap: { here: () => loads('cap'), mend: 'install libpcap-dev and a C++ compiler, then npm rebuild cap' },
} as const

export type Part = keyof typeof PARTS

/**
 * @returns what to pass as node:test's `skip`: false when the test can run, else the reason.
 *   With CI=true always false, so that a missing part is a failure.
 */
export function needs(...parts: Part[]): string | false {
  const missing = parts.filter((part) => !PARTS[part].here())
  if (missing.length === 0 || process.env['CI'] === 'true') return false
  return `needs ${missing.map((part) => `${part} (${PARTS[part].mend})`).join(', ')}`
}

/**
 * Sums up the reasons of skipped tests for people.
 * @returns a line for each part that is missing, with its mend and how many tests asked for it; other reasons as they are
 */
export function missingParts(reasons: readonly string[]): string[] {
  const counts = new Map<string, number>()
  const add = (line: string): void => void counts.set(line, (counts.get(line) ?? 0) + 1)
  for (const reason of reasons) {
    const parts = reason.startsWith('needs ') ? [...reason.matchAll(/([\w-]+) \(([^)]+)\)/g)] : []
    if (parts.length === 0) add(reason)
    else for (const [, part, mend] of parts) add(`${part} is missing: ${mend}`)
  }
  return [...counts].sort().map(([line, count]) => `${line} (${count} ${count === 1 ? 'test' : 'tests'})`)
}
