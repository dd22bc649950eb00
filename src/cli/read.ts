/** `interceptor read FILE…`: reads capture files and prints or ships their pairs. */
import { accessSync, constants, statSync } from 'node:fs'
import { isatty } from 'node:tty'
import { Command } from 'commander'
import type { FlagValue } from '../config/layers.ts'
import { fileErrorText, runtimeError, usageError } from '../errors.ts'
import { addExamples, addPipelineOptions, configFlags, type PipelineFlags } from './options.ts'
import { rejectPodLists } from './select.ts'

interface ReadFlags extends PipelineFlags {
  filter?: string
  follow?: boolean
}

/** @param exit  receives the exit code */
export function readCommand(exit: (code: number) => void): Command {
  const command = new Command('read')
    .description('Print the HTTP pairs in pcap and pcapng files, which may be gzipped.')
    .argument('<file...>', 'capture files, read one after the other; - for standard input')
    .option('--filter <expression>', 'BPF expression that frames must match, as for tcpdump; needs libpcap')
    .option('-f, --follow', 'at the end of the last file, wait for more data while it is being written')
  addPipelineOptions(command)
  addExamples(command, [
    ['interceptor read shop.pcap', 'print the pairs, one per line'],
    ['interceptor read -v -c 3 shop.pcap.gz', 'print the first three with heads and bodies'],
    ["interceptor read --all -o ndjson shop.pcapng | jq '.request.target'", 'print every pair as JSON, one per line'],
    ['tcpdump -i eth0 -U -w - tcp port 8080 | interceptor read -', 'print pairs while another program captures'],
    ['interceptor read --brokers kafka:9092 --topic replay shop.pcap', 'ship pairs to Kafka instead of printing them'],
  ])
  return command.action(async (paths: string[], flags: ReadFlags) => exit(await read(paths, flags)))
}

/** Reads capture files. @returns the exit code */
export async function read(paths: string[], flags: ReadFlags): Promise<number> {
  checkPaths(paths)
  const { effectiveConfig } = await import('../config/effective.ts')
  const loaded = await effectiveConfig({ file: flags.config, flags: readFlags(flags), all: flags.all === true })
  rejectPodLists(loaded, 'capture files')
  const { runPipeline } = await import('./run-pipeline.ts')
  return runPipeline(flags, loaded, { kind: 'files', paths, follow: flags.follow === true })
}

function readFlags(flags: ReadFlags): FlagValue[] {
  const { filter } = flags
  return [
    ...configFlags(flags),
    ...(filter === undefined ? [] : [{ path: 'capture.filter', value: filter, name: '--filter' }]),
  ]
}

/** Words that capture filters begin with, where `capture` expects them: behind its options. */
const FILTER_WORDS = new Set([
  'tcp',
  'udp',
  'ip',
  'ip6',
  'host',
  'net',
  'port',
  'portrange',
  'src',
  'dst',
  'vlan',
  'not',
])

/** @throws InterceptorError for a file that cannot be read, and for a terminal as standard input */
export function checkPaths(paths: string[]): void {
  if (paths.filter((path) => path === '-').length > 1) throw usageError('standard input (-) can be read only once')
  for (const path of paths) {
    if (path === '-') {
      if (isatty(0))
        throw usageError('- reads a capture from standard input, which is a terminal: pipe a capture into it')
    } else {
      checkFile(path)
    }
  }
}

function checkFile(path: string): void {
  let directory: boolean
  try {
    accessSync(path, constants.R_OK)
    directory = statSync(path).isDirectory()
  } catch (error) {
    const hint = FILTER_WORDS.has(path.split(' ', 1)[0])
      ? "Filters follow --filter: --filter 'tcp port 80'."
      : undefined
    throw runtimeError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error, hint })
  }
  if (directory) throw runtimeError(`cannot read ${path}: it is a directory`)
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file'
  return code === 'EACCES' ? 'permission denied' : fileErrorText(error)
}
