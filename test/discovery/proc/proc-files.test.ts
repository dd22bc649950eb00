import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { needs } from '../../../rig/needs.ts'
import { DENIED, GONE, ProcFiles } from '../../../src/discovery/proc/proc-files.ts'

const onLinux = { skip: process.platform !== 'linux' }
const folder = mkdtempSync(join(tmpdir(), 'proc-files-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('proc files: lists processes by number with their inodes, and nothing else', onLinux, () => {
  const root = join(folder, 'listed')
  // More than one call of getdents64 returns.
  const pids = Array.from({ length: 5000 }, (_, index) => index + 1)
  for (const name of [...pids, 'self', '12x', '1.5']) mkdirSync(join(root, String(name)), { recursive: true })
  const listed = new ProcFiles(root).processes()
  assert.ok(Array.isArray(listed))
  assert.deepEqual(
    listed.map(({ pid }) => pid),
    pids,
  )
  for (const { pid, inode } of [listed[0], listed[4999]]) assert.equal(inode, statSync(join(root, String(pid))).ino)
})

test('proc files: finds this process in /proc, whose inode stays the same', onLinux, () => {
  const proc = new ProcFiles('/proc/')
  assert.equal(proc.root, '/proc')
  const own = (): unknown => (proc.processes() as { pid: number }[]).find(({ pid }) => pid === process.pid)
  assert.deepEqual(own(), { pid: process.pid, inode: statSync(`/proc/${process.pid}`).ino })
  assert.deepEqual(own(), own())
})

test('proc files: reads files of any size whole, up to the limit, with one buffer', onLinux, () => {
  const proc = new ProcFiles(folder)
  const texts = [300_000, 5, 65_536, 65_537, 0].map((length, index) => String(index).repeat(length))
  for (const [index, text] of texts.entries()) writeFileSync(join(folder, `file-${index}`), text)
  for (const [index, text] of texts.entries()) assert.equal(proc.read(`file-${index}`), text)
  assert.equal(proc.read('file-0', 100), '0'.repeat(100))
  writeFileSync(join(folder, 'huge'), 'x'.repeat(1_100_000))
  assert.equal((proc.read('huge') as string).length, 1024 * 1024)
  // The kernel returns this table in pieces of a page.
  assert.equal((new ProcFiles('/proc').read('self/maps') as string).at(-1), '\n')
})

test('proc files: reads links, names and inodes', () => {
  const proc = new ProcFiles(folder)
  mkdirSync(join(folder, 'ns'))
  symlinkSync('net:[4026531833]', join(folder, 'ns', 'net'))
  assert.equal(proc.readLink('ns/net'), 'net:[4026531833]')
  assert.deepEqual(proc.names('ns'), ['net'])
  assert.equal(proc.inode('ns'), statSync(join(folder, 'ns')).ino)
})

test('proc files: reports missing files as gone, without throwing', onLinux, () => {
  const proc = new ProcFiles(folder)
  writeFileSync(join(folder, 'plain'), '')
  for (const path of ['none', 'none/such', 'plain/below']) {
    const results = [proc.read(path), proc.names(path), proc.readLink(path), proc.inode(path)]
    assert.deepEqual(results, [GONE, GONE, GONE, GONE], path)
  }
  // readlink(2) reports EINVAL for a file that is not a link, like /proc/<pid>/net of a zombie.
  assert.equal(proc.readLink('plain'), GONE)
  assert.equal(new ProcFiles(join(folder, 'none')).processes(), GONE)
})

test('proc files: reports files that this user may not read as denied', { skip: needs('linux', 'root') }, () => {
  const proc = new ProcFiles(folder)
  writeFileSync(join(folder, 'secret'), '')
  // The folder belongs to root alone.
  process.seteuid?.('nobody')
  try {
    const results = [proc.read('secret'), proc.names('ns'), proc.readLink('ns/net'), proc.inode('secret')]
    assert.deepEqual(results, [DENIED, DENIED, DENIED, DENIED])
  } finally {
    process.seteuid?.(0)
  }
})

test(
  'proc files: throws errors of this process, because they do not mean that the read process has ended',
  onLinux,
  () => {
    const before = readdirSync('/proc/self/fd').length
    const proc = new ProcFiles('/proc')
    assert.throws(() => proc.read('self'), { code: 'EISDIR' })
    assert.equal(readdirSync('/proc/self/fd').length, before, 'no descriptor is left open')
  },
)
