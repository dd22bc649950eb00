/** `interceptor capture -i IF… [BPF expression]`: captures interfaces of this host and prints or ships their pairs. */
import { networkInterfaces } from 'node:os'
import { Command, Option } from 'commander'
import type { FlagValue } from '../config/layers.ts'
import { usageError } from '../errors.ts'
import { addExamples, addPipelineOptions, configFlags, type PipelineFlags } from './options.ts'
import { append, rejectPodLists } from './select.ts'

interface CaptureFlags extends PipelineFlags {
  interface?: string[]
  source?: string
  snapLength?: string
  promiscuous?: boolean
}

/** @param exit  receives the exit code */
export function captureCommand(exit: (code: number) => void): Command {
  const command = new Command('capture')
    .description('Capture interfaces of this host and print their HTTP pairs, until Ctrl-C. Needs CAP_NET_RAW.')
    .argument('[expression...]', 'BPF expression, as for tcpdump; needs libpcap')
    .option('-i, --interface <name>', 'interface to capture, or any for all; repeatable', append)
    .addOption(new Option('--source <source>', 'how to capture (default: auto)').choices(['auto', 'af-packet', 'cap']))
    .option('-s, --snap-length <bytes>', 'bytes captured of each frame (default: 262144)')
    .option('--promiscuous', 'also capture frames that are not addressed to the interface')
  addPipelineOptions(command)
  addExamples(command, [
    ['interceptor capture -i eth0', 'print the pairs on eth0, one per line'],
    ['interceptor capture -i any tcp port 8080', 'capture one port on all interfaces'],
    ['interceptor capture -i lo -v -c 1 --all', 'print the next exchange on loopback, with heads and bodies'],
    [
      "interceptor capture -i eth0 -o ndjson 'host 10.0.0.7' > pairs.ndjson",
      'write the pairs of one host to a file, as JSON',
    ],
    ['interceptor capture -i eth0 --brokers kafka:9092', 'ship pairs to Kafka instead of printing them'],
  ])
  return command.action(async (words: string[], flags: CaptureFlags) => exit(await capture(words, flags)))
}

/** Captures interfaces. @returns the exit code */
export async function capture(words: string[], flags: CaptureFlags): Promise<number> {
  const { effectiveConfig } = await import('../config/effective.ts')
  const settings = [...configFlags(flags), ...captureFlags(words, flags)]
  const loaded = await effectiveConfig(
    { file: flags.config, flags: settings, all: flags.all === true },
    { apart: true },
  )
  rejectPodLists(loaded, 'interfaces')
  const names = flags.interface ?? loaded.config.capture.interfaces
  if (names.length === 0 || names.includes('')) throw noInterface(words)
  const { runPipeline } = await import('./run-pipeline.ts')
  const input = { kind: 'interfaces' as const, names: [...new Set(names)] }
  const { filter } = loaded.config.capture
  const where = `${input.names.join(', ')}${filter === '' ? '' : ` with the filter ${JSON.stringify(filter)}`}`
  return runPipeline(flags, loaded, input, `capturing on ${where}; press Ctrl-C to stop`)
}

function captureFlags(words: string[], flags: CaptureFlags): FlagValue[] {
  const named = [
    ['capture.source', flags.source, '--source'],
    ['capture.snapLength', flags.snapLength, '--snap-length'],
    ['capture.promiscuous', flags.promiscuous, '--promiscuous'],
    ['capture.filter', words.length > 0 ? words.join(' ') : undefined, 'expression'],
  ] as const
  return named.flatMap(([path, value, name]) => (value === undefined ? [] : [{ path, value, name }]))
}

function noInterface([word = '']: string[]) {
  const here = Object.keys(networkInterfaces())
  const suggestion = here.includes(word) || word === 'any' ? `: did you mean -i ${word}?` : ': name one with -i'
  return usageError(`no interface to capture${suggestion}`, {
    hint: `Interfaces of this host: ${here.join(', ')}; any captures all of them.`,
  })
}
