/**
 * Parts that tests need but not every machine has. A missing part skips the test with a reason that explains how to
 * install the part; the runner repeats it at the end. With CI=true the test runs and fails instead.
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

/** Every optional part: whether it is present, and how to install it. */
const PARTS = {
  root: { here: () => process.getuid?.() === 0, hint: 'run the tests as root' },
  linux: { here: () => process.platform === 'linux', hint: 'run the tests on Linux' },
  x64: { here: () => process.arch === 'x64', hint: 'run the tests on x86-64' },
  npm: { here: () => inPath('npm'), hint: 'install npm' },
  cgroup: {
    here: () => process.platform === 'linux' && (cgroupMount('v1') ?? cgroupMount('v2')) !== null,
    hint: 'run the tests where cgroups can be created',
  },
  ip: { here: () => inPath('ip'), hint: 'install iproute2' },
  iptables: { here: () => inPath('iptables'), hint: 'install iptables' },
  ethtool: { here: () => inPath('ethtool'), hint: 'install ethtool' },
  script: { here: () => inPath('script'), hint: 'install bsdutils or util-linux' },
  unshare: { here: () => inPath('unshare'), hint: 'install util-linux' },
  buildah: { here: () => inPath('buildah'), hint: 'install buildah' },
  debootstrap: { here: () => inPath('debootstrap'), hint: 'install debootstrap' },
  setpriv: { here: () => inPath('setpriv'), hint: 'install util-linux' },
  userns: {
    here: () => spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0,
    hint: 'install util-linux and allow user namespaces',
  },
  tcpdump: { here: () => inPath('tcpdump'), hint: 'install tcpdump' },
  tcpreplay: { here: () => inPath('tcpreplay'), hint: 'install tcpreplay' },
  tshark: { here: () => inPath('tshark'), hint: 'install tshark' },
  java: { here: () => inPath('java') && inPath('mvn'), hint: 'install a JDK 17 and Maven' },
  kcat: { here: () => inPath('kcat'), hint: 'install kcat' },
  go: { here: () => inPath('go'), hint: 'install Go 1.25 or later' },
  etcd: { here: () => inPath('etcd'), hint: 'install etcd-server' },
  openssl: { here: () => inPath('openssl'), hint: 'install openssl' },
  chromium: {
    here: () => inPath('chromium') || inPath('chromium-browser') || inPath('google-chrome'),
    hint: 'install chromium',
  },
  promtool: { here: () => inPath('promtool'), hint: 'install prometheus' },
  jq: { here: () => inPath('jq'), hint: 'install jq' },
  bash: { here: () => inPath('bash'), hint: 'install bash' },
  zsh: { here: () => inPath('zsh'), hint: 'install zsh' },
  fish: { here: () => inPath('fish'), hint: 'install fish' },
  python: { here: () => inPath('python3'), hint: 'install python3' },
  'python-msgpack': { here: () => pythonHas('msgpack'), hint: 'install python3-msgpack' },
  libpcap: {
    here: () => existsSync('/usr/lib/x86_64-linux-gnu/libpcap.so.0.8') || inPath('tcpdump'),
    hint: 'install libpcap0.8',
  },
  cap: { here: () => loads('cap'), hint: 'install libpcap-dev and a C++ compiler, then npm rebuild cap' },
} as const

export type Part = keyof typeof PARTS

/**
 * @returns the value of node:test's `skip`: false if the test can run, otherwise the reason. Always false with CI=true,
 * so that a missing part is a failure.
 */
export function needs(...parts: Part[]): string | false {
  const missing = parts.filter((part) => !PARTS[part].here())
  if (missing.length === 0 || process.env['CI'] === 'true') return false
  return `needs ${missing.map((part) => `${part} (${PARTS[part].hint})`).join(', ')}`
}

/**
 * Summarizes the reasons of skipped tests.
 * @returns a line for each missing part: how to install it, and how many tests need it; other reasons unchanged
 */
export function missingParts(reasons: readonly string[]): string[] {
  const counts = new Map<string, number>()
  const add = (line: string): void => void counts.set(line, (counts.get(line) ?? 0) + 1)
  for (const reason of reasons) {
    const parts = reason.startsWith('needs ') ? [...reason.matchAll(/([\w-]+) \(([^)]+)\)/g)] : []
    if (parts.length === 0) add(reason)
    else for (const [, part, hint] of parts) add(`${part} is missing: ${hint}`)
  }
  return [...counts].sort().map(([line, count]) => `${line} (${count} ${count === 1 ? 'test' : 'tests'})`)
}
