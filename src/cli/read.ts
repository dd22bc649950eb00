/** `interceptor read FILE…`: pairs out of capture files. */
import { accessSync, constants, statSync } from 'node:fs'
import { isatty } from 'node:tty'
import { Command } from 'commander'
import { errorText, runtimeError, usageError } from '../errors.ts'
import { addExamples, addPipelineOptions, configFlags, type PipelineFlags } from './options.ts'

interface ReadFlags extends PipelineFlags {
  follow?: boolean
}

/** @param exit takes the exit code of a run */
export function readCommand(exit: (code: number) => void): Command {
  const command = new Command('read')
    .description('Print the HTTP pairs in pcap and pcapng files, also gzipped; - is standard input.')
    .argument('<file...>', 'capture files, read one after the other; - for standard input')
    .option('-f, --follow', 'wait for more at the end of the last file, while it is still being written')
  addPipelineOptions(command)
  addExamples(command, [
    ['interceptor read shop.pcap', 'the pairs, one a line, as a person reads them'],
    ['interceptor read -v -c 3 shop.pcap.gz', 'the first three with heads and bodies'],
    ["interceptor read --all -o ndjson shop.pcapng | jq '.request.target'", 'every pair as JSON, one a line'],
    ['tcpdump -i eth0 -U -w - tcp port 8080 | interceptor read -', 'pairs as they are captured elsewhere'],
    ['interceptor read --brokers kafka:9092 --topic replay shop.pcap', 'ship them to Kafka instead of printing'],
  ])
  return command.action(async (paths: string[], flags: ReadFlags) => exit(await read(paths, flags)))
}

async function read(paths: string[], flags: ReadFlags): Promise<number> {
  checkPaths(paths)
  const { loadConfig } = await import('../config/load.ts')
  const loaded = loadConfig({ file: flags.config, flags: configFlags(flags) })
  const { runPipeline } = await import('./run-pipeline.ts')
  return runPipeline(flags, loaded, { kind: 'files', paths, follow: flags.follow === true })
}

function checkPaths(paths: string[]): void {
  if (paths.filter((path) => path === '-').length > 1) throw usageError('standard input (-) can be read only once')
  for (const path of paths) {
    if (path === '-') {
      if (isatty(0)) throw usageError('- reads a capture from standard input, which is a terminal: pipe one in')
    } else {
      checkFile(path)
    }
  }
}

function checkFile(path: string): void {
  let folder: boolean
  try {
    accessSync(path, constants.R_OK)
    folder = statSync(path).isDirectory()
  } catch (error) {
    throw runtimeError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error })
  }
  if (folder) throw runtimeError(`cannot read ${path}: it is a folder, not a capture file`)
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file'
  return code === 'EACCES' ? 'permission denied' : errorText(error)
}
