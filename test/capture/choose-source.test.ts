import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { chooseSource } from '../../src/capture/choose-source.ts'

test('choose source: chooses packet sockets if they work, and cap only if configured', {
  skip: needs('root', 'cap'),
}, () => {
  assert.equal(chooseSource('auto'), 'af-packet')
  assert.equal(chooseSource('af-packet'), 'af-packet')
  assert.equal(chooseSource('cap'), 'cap')
})

test('choose source: reports a missing privilege instead of trying the other source', {
  skip: needs('root', 'setpriv'),
}, () => {
  const module = JSON.stringify(new URL('../../src/capture/choose-source.js', import.meta.url).href)
  const script = `import { chooseSource } from ${module}
    try { console.log(chooseSource('auto')) } catch (error) { console.log(error.exitCode, error.message) }`
  const args = ['--bounding-set', '-net_raw', process.execPath, '--input-type=module', '-e', script]
  assert.match(spawnSync('setpriv', args, { encoding: 'utf8' }).stdout, /^4 .*CAP_NET_RAW/)
})

test('choose source: falls back to cap without packet sockets', { skip: needs('root', 'cap', 'python') }, () => {
  const module = JSON.stringify(new URL('../../src/capture/choose-source.js', import.meta.url).href)
  const script = `import { chooseSource } from ${module}; console.log(chooseSource('auto'))`
  // A seccomp filter that answers socket(AF_PACKET, …) with EAFNOSUPPORT, as a system without it does.
  const { stdout, stderr } = spawnSync(
    'python3',
    ['-c', NO_PACKET_SOCKETS, process.execPath, '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
    },
  )
  assert.equal(stdout.trim(), 'cap', stderr)
})

const NO_PACKET_SOCKETS = `
import ctypes, os, platform, struct, sys
nr, arch = {'x86_64': (41, 0xc000003e), 'aarch64': (198, 0xc00000b7)}[platform.machine()]
LD, JEQ, RET = 0x20, 0x15, 0x06
program = [(LD, 0, 0, 4), (JEQ, 0, 5, arch), (LD, 0, 0, 0), (JEQ, 0, 3, nr), (LD, 0, 0, 16), (JEQ, 0, 1, 17),
           (RET, 0, 0, 0x00050000 | 97), (RET, 0, 0, 0x7fff0000)]
code = b''.join(struct.pack('HBBI', *i) for i in program)
buffer = ctypes.create_string_buffer(code)
fprog = struct.pack('HxxxxxxQ', len(program), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, fprog, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
`
