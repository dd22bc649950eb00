/** `interceptor openapi`: an OpenAPI document of the traffic in files, on interfaces or in a topic. */
import { Command } from 'commander'
import { addExamples } from './options.ts'
import { addSourceOptions, runSource, type SourceFlags } from './sources.ts'

interface OpenApiFlags extends SourceFlags {
  examples?: boolean
}

/** @param exit  receives the exit code */
export function openapiCommand(exit: (code: number) => void): Command {
  const command = new Command('openapi').description(
    'Write an OpenAPI 3.1 document of the routes, parameters, statuses and JSON bodies of the captured traffic. From files and interfaces, every pair counts, as with --all; from an agent or a topic, those that the rules of the agent let through.',
  )
  addSourceOptions(command).option('--examples', 'include bodies as examples; they may hold personal data')
  addExamples(command, [
    ['interceptor openapi shop.pcap > shop.openapi.json', 'describe the services in a capture'],
    ["interceptor openapi --host 'orders*' shop.pcap", 'describe one of them'],
    ['sudo interceptor openapi -i any -w api.json', 'describe what is captured until Ctrl-C'],
    ['interceptor openapi --brokers kafka:9092 --from 1h --no-follow', 'describe the last hour of a topic'],
  ])
  return command.action(async (files: string[], flags: OpenApiFlags) => {
    const { examples, ...source } = flags
    exit(await runSource(files, source, 'openapi', { examples: examples === true }))
  })
}
