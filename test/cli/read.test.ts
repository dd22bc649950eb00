import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { needs } from '../../rig/needs.ts'
import { PROGRAM } from '../../rig/root.ts'
import { EXIT_DAMAGED, EXIT_INTERRUPTED, EXIT_RUNTIME, EXIT_USAGE } from '../../src/errors.ts'
import { count, type Ledger } from '../../src/ledger/ledger.ts'
import { assertLaws } from '../support/ledger.ts'
import { CAPTURE, CAPTURES, ESCAPE, finish, run, start, THOUSAND } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'interceptor-read-'))
after(() => rmSync(folder, { recursive: true }))

const ledgerOf = (path: string): Ledger => {
  const ledger = JSON.parse(readFileSync(path, 'utf8')) as Ledger
  assertLaws(ledger)
  return ledger
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')

test('read: prints pairs on standard output and one line on standard error', async () => {
  const { code, stdout, stderr } = await run(['read', CAPTURE])
  assert.equal(code, 0)
  assert.ok(lines(stdout).length > 20, stdout)
  assert.match(stdout, /GET +\/data\/small\.json +200/)
  assert.ok(!stdout.includes(ESCAPE))
  assert.match(stderr, /^\d+ pairs shown; \d+ pairs filtered \(contentType \d+, status \d+\)\n$/)
})

test('read: exits with 1 at once on a processor without SIMD', {
  skip: process.arch !== 'x64' && 'amd64 only',
}, async () => {
  // The flags make Node.js ignore both extensions, as on a processor that has neither.
  const { code, stdout, stderr } = await finish(
    spawn(process.execPath, ['--no-enable-sse4-1', '--no-enable-ssse3', PROGRAM, 'read', CAPTURE]),
  )
  assert.deepEqual([code, stdout], [EXIT_RUNTIME, ''])
  assert.match(stderr, /^interceptor: this processor lacks the SIMD instructions .*\n.*SSE4\.1/)
})

test('read: prints nothing on standard error with -q', async () => {
  assert.equal((await run(['read', '-q', CAPTURE])).stderr, '')
})

test('read: writes a summary that satisfies the laws and counts the printed pairs', async () => {
  const summary = join(folder, 'summary.json')
  const { stdout } = await run(['read', '-o', 'ndjson', '--summary', summary, CAPTURE])
  const ledger = ledgerOf(summary)
  assert.equal(lines(stdout).length, count(ledger, 'pairs.shipped'))
  for (const line of lines(stdout)) assert.equal(JSON.parse(line).v, 1)
})

test('read: prints the summary on standard error with --summary -', async () => {
  const { stderr } = await run(['read', '-q', '-o', 'none', '--summary', '-', CAPTURE])
  assertLaws(JSON.parse(stderr) as Ledger)
})

test('read: exits with 1 before it reads if the summary cannot be written', async () => {
  const { code, stdout, stderr } = await run(['read', '--summary', '/nowhere/s.json', CAPTURE])
  assert.deepEqual([code, stdout], [EXIT_RUNTIME, ''])
  assert.match(stderr, /^interceptor: cannot write the summary to \/nowhere\/s\.json: no such file or directory\n/)
})

test('read: prints filtered pairs with --all', async () => {
  const kept = lines((await run(['read', CAPTURE])).stdout).length
  const all = lines((await run(['read', '--all', CAPTURE])).stdout).length
  assert.ok(all > kept, `${all} > ${kept}`)
})

test('read: stops at -c', async () => {
  const summary = join(folder, 'limit.json')
  const { code, stdout, stderr } = await run(['read', '-c', '3', '--summary', summary, CAPTURE])
  assert.deepEqual([code, lines(stdout).length, stderr], [0, 3, '3 pairs shown; stopped by -c 3\n'])
  assert.equal(count(ledgerOf(summary), 'pairs.shipped'), 3)
})

test('read: writes to a file instead of standard output with -w', async () => {
  const file = join(folder, 'pairs.ndjson')
  const { code, stdout, stderr } = await run(['read', '-o', 'ndjson', '-w', file, CAPTURE])
  assert.deepEqual([code, stdout], [0, ''])
  assert.match(stderr, new RegExp(`^${lines(readFileSync(file, 'utf8')).length} pairs written`))
})

test('read: writes no file with -o none, and does not report one', async () => {
  const file = join(folder, 'none.txt')
  const { code, stdout, stderr } = await run(['read', '-o', 'none', '-w', file, CAPTURE])
  assert.deepEqual([code, stdout, existsSync(file)], [0, '', false])
  assert.match(stderr, /^warning: -w is ignored: -o none writes no pairs\n\d+ pairs counted; /)
})

test('read: rejects an output that is its input, which it does not change', async () => {
  const input = join(folder, 'own.pcap')
  const before = gunzipSync(readFileSync(CAPTURE))
  writeFileSync(input, before)
  const link = join(folder, 'own-link.pcap')
  symlinkSync(input, link)
  for (const option of ['-w', '--summary']) {
    const { code, stderr } = await run(['read', option, link, input])
    assert.equal(code, EXIT_USAGE)
    assert.equal(
      stderr,
      `interceptor: ${option} ${link} is the same file as the input ${input} and would overwrite it\n`,
    )
  }
  assert.deepEqual(readFileSync(input), before)
})

test('read: prints as many rows of a body as --body allows', async () => {
  const rows = async (...options: string[]) => lines((await run(['read', '--all', ...options, CAPTURE])).stdout).length
  const some = await rows('-v')
  assert.ok((await rows('--body', '0')) < some)
  assert.ok(some < (await rows('--body', 'all')))
})

test('read: reads several files in order, including standard input', async () => {
  const [first = '', second = ''] = CAPTURES
  const apart = await Promise.all([first, second].map((path) => run(['read', '-o', 'ndjson', path])))
  const stdin = gunzipSync(readFileSync(second))
  const { code, stdout } = await run(['read', '-o', 'ndjson', first, '-'], { stdin })
  assert.equal(code, 0)
  assert.equal(
    lines(stdout).length,
    apart.reduce((sum, one) => sum + lines(one.stdout).length, 0),
  )
})

test('read: exits with 3 for truncated input, after the pairs that could be read', async () => {
  const whole = gunzipSync(readFileSync(CAPTURE))
  const summary = join(folder, 'cut.json')
  const { code, stdout, stderr } = await run(['read', '--all', '--summary', summary, '-'], {
    stdin: whole.subarray(0, (whole.length >> 1) + 7),
  })
  assert.equal(code, EXIT_DAMAGED)
  assert.ok(lines(stdout).length > 5)
  assert.match(stderr, /^warning: .*: damaged at byte \d+: /)
  ledgerOf(summary)
})

test('read: exits with 3 for a file that is not a capture', async () => {
  const { code, stderr } = await run(['read', '/dev/null'])
  assert.equal(code, EXIT_DAMAGED)
  assert.match(stderr, /^warning: \/dev\/null: the file is empty$/m)
})

test('read: ends at once on endless input that is not a capture', {
  skip: process.platform !== 'linux',
}, async () => {
  const { code, stderr } = await run(['read', '/dev/zero'])
  assert.equal(code, EXIT_DAMAGED)
  assert.match(stderr, /^warning: \/dev\/zero: not a capture file /)
})

test('read: names an output that cannot be created, and prints no summary', async () => {
  const { code, stderr } = await run(['read', '-w', '/nowhere/x', CAPTURE])
  assert.deepEqual([code, stderr], [EXIT_RUNTIME, 'interceptor: cannot write /nowhere/x: no such file or directory\n'])
})

test('read: names a link type that it cannot read, and exits with 3', async () => {
  for (const [linkType, name] of [
    [105, '105 (IEEE802_11)'],
    [999, '999'],
  ] as const) {
    const path = join(folder, `link-${linkType}.pcap`)
    const [fileHeader, recordHeader] = [Buffer.alloc(24), Buffer.alloc(16)]
    fileHeader.writeUInt32LE(0xa1b2c3d4)
    fileHeader.writeUInt16LE(2, 4)
    fileHeader.writeUInt16LE(4, 6)
    fileHeader.writeUInt32LE(65_535, 16)
    fileHeader.writeUInt32LE(linkType, 20)
    recordHeader.writeUInt32LE(40, 8)
    recordHeader.writeUInt32LE(40, 12)
    writeFileSync(path, Buffer.concat([fileHeader, recordHeader, Buffer.alloc(40)]))
    const { code, stderr } = await run(['read', path])
    assert.equal(code, EXIT_DAMAGED)
    assert.ok(stderr.startsWith(`warning: ${path}: 1 frame of link type ${name} cannot be read\n`), stderr)
  }
})

test('read: suggests --filter for a filter in place of a file', async () => {
  const { code, stderr } = await run(['read', 'tcp', 'port', '80'])
  const hint = "Filters follow --filter: --filter 'tcp port 80'."
  assert.deepEqual([code, stderr], [EXIT_RUNTIME, `interceptor: cannot read tcp: no such file\n${hint}\n`])
})

test('read: reports an invalid filter once, and prints no summary', { skip: needs('libpcap') }, async () => {
  const { code, stderr } = await run(['read', CAPTURE, '--filter', 'tcp prt 80'])
  assert.equal(code, EXIT_USAGE)
  assert.match(stderr, /^interceptor: bad filter expression "tcp prt 80" .*\nFilters are written as for tcpdump.*\n$/)
})

test('read: reports the traffic if no pair is kept, and suggests --all', async () => {
  const { stdout, stderr } = await run(['read', '--set', 'filter.contentTypes=text/none', CAPTURE])
  assert.equal(stdout, '')
  assert.match(stderr, /^no pairs shown; .*\d+ connections seen; use --all to show filtered pairs\n$/)
})

test('read: ends quietly if the reader closes the output', async () => {
  const child = start(['read', '--all', '-o', 'ndjson', ...CAPTURES])
  child.stdout!.once('data', () => child.stdout!.destroy())
  const { code, signal, stderr } = await finish(child)
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
})

test('read: drains on SIGHUP, however many come, and completes the JSON', async () => {
  const file = join(folder, 'hangup.json')
  const child = start(['read', '--follow', '-o', 'json', '-w', file, '--progress', 'always', '-'])
  child.stdin!.write(gunzipSync(readFileSync(CAPTURE)))
  child.stderr!.once('data', () => {
    child.kill('SIGHUP')
    child.kill('SIGHUP')
  })
  const { code, stderr } = await finish(child)
  assert.equal(code, 0)
  assert.match(stderr, /\d+ pairs written/)
  assert.ok(JSON.parse(readFileSync(file, 'utf8')).length > 20)
})

test('read: drains on the first SIGINT and counts everything', async () => {
  const summary = join(folder, 'drained.json')
  const child = start(['read', '--follow', '-o', 'ndjson', '--summary', summary, '-'])
  child.stdin!.write(gunzipSync(readFileSync(CAPTURE)))
  child.stdout!.once('data', () => child.kill('SIGINT'))
  const { code, stdout } = await finish(child)
  assert.equal(code, 0)
  assert.equal(lines(stdout).length, count(ledgerOf(summary), 'pairs.shipped'))
})

/**
 * Starts a run whose output is not read, and waits until it stalls because the pipe is full. Its last input, stdin, never
 * ends: at the end of its input a run drains by itself.
 */
async function stalled(...options: string[]): Promise<{ child: ChildProcess; printed: () => string }> {
  const child = start(['read', '-vv', '--progress', 'always', '--all', '-o', 'ndjson', ...options, ...CAPTURES, '-'])
  let text = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const counts = [...text.matchAll(/([\d,]+) pairs/g)].map(([, pairs]) => pairs)
      const last = counts.slice(-5)
      if (last.length === 5 && last[0] !== '0' && last.every((pairs) => pairs === last[0])) resolve()
    })
    child.on('close', () => reject(new Error(`ended: ${text}`)))
  })
  return { child, printed: () => text }
}

test('read: stops at once on the second SIGINT', async () => {
  const { child, printed } = await stalled('--set', 'shutdown.timeout=10m')
  child.stderr!.on('data', () => {
    if (printed().includes('SIGINT: draining')) child.kill('SIGINT')
  })
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  child.stdout!.destroy()
  assert.equal(code, EXIT_INTERRUPTED, printed())
})

test('read: stops a drain after the timeout and counts what is lost', async () => {
  const summary = join(folder, 'late.json')
  const { child, printed } = await stalled('--set', 'shutdown.timeout=100ms', '--summary', summary)
  child.kill('SIGTERM')
  await once(child, 'exit')
  child.stdout!.destroy()
  assert.match(printed(), /not drained within shutdown\.timeout \(100 ms\)/)
  assert.ok(count(ledgerOf(summary), 'pairs.dropped') > 0)
})

for (const [keys, reasons, settings] of [
  ['shutdown.timeout', ['shutdown'], ['shutdown.timeout=200ms']],
  ['ship.maxAge', ['maxAge'], ['shutdown.timeout=5s', 'ship.maxAge=100ms']],
  [
    'ship.bufferBytes, shutdown.timeout',
    ['bufferBytes', 'shutdown'],
    ['limits.pairBytes=64KiB', 'ship.batchBytes=64KiB', 'ship.bufferBytes=64KiB', 'shutdown.timeout=200ms'],
  ],
] as const) {
  test(`read: exits with 1 if Kafka is unreachable, and names what lost the pairs: ${keys}`, async () => {
    const summary = join(folder, 'unshipped.json')
    const unreachable = ['--brokers', '127.0.0.1:1', ...settings.flatMap((setting) => ['--set', setting])]
    const { code, stderr } = await run(['read', '-q', '--all', ...unreachable, '--summary', summary, THOUSAND])
    assert.equal(code, EXIT_RUNTIME)
    const lost = reasons.map((reason) => count(ledgerOf(summary), `pairs.dropped.${reason}`))
    assert.ok(Math.min(...lost) > 0, stderr)
    assert.equal(lost[0] + (lost[1] ?? 0), 1000)
    assert.ok(stderr.endsWith(`interceptor: 1,000 pairs could not be shipped to Kafka in time (${keys})\n`), stderr)
  })
}

test('read: if Kafka is unreachable, reports the cause, the summary and the reason of the exit code, each once', async () => {
  const unreachable = ['--brokers', '127.0.0.1:1', '--set', 'shutdown.timeout=200ms']
  const { stderr } = await run(['read', ...unreachable, CAPTURE])
  assert.equal(stderr.match(/^.*pairs.*$/gm)?.length, 3, stderr)
})

test('read: uses colours in a pipe with --color always', async () => {
  assert.ok((await run(['read', '--color', 'always', '-c', '1', CAPTURE])).stdout.includes(ESCAPE))
})

test('read: prints heads and bodies with -v', async () => {
  const { stdout } = await run(['read', '-v', '-c', '1', CAPTURE])
  assert.match(stdout, /user-agent: curl/i)
})
