/** `interceptor config print|schema`: the effective configuration, and its JSON Schema. */
import { Command } from 'commander'
import { addConfigOptions, addExamples, type ConfigFlags, configFlags } from './options.ts'
import { writeOutput } from './terminal.ts'

/** The command with its subcommands. */
export function configCommand(): Command {
  const command = new Command('config').description('Show the effective configuration, or its JSON Schema.')
  addExamples(command, [
    ['interceptor config print --config agent.yaml', 'every key, and where its value comes from'],
    ['INTERCEPTOR_SHIP_MAX_AGE=10m interceptor config print', 'the same with a value from the environment'],
    ['interceptor config schema > interceptor.schema.json', 'for an editor that checks YAML'],
  ])
  command.addCommand(printCommand())
  command.addCommand(schemaCommand())
  return command
}

function printCommand(): Command {
  const command = new Command('print').description(
    'Print the effective configuration as YAML, each value with its origin. Passwords are read from files and not shown.',
  )
  addExamples(addConfigOptions(command), [
    ['interceptor config print', 'the defaults, and what the environment sets'],
    ['interceptor config print --config agent.yaml', 'with a file'],
    ['interceptor config print --set limits.memory=1GiB', 'with a value of the command line'],
  ])
  return command.action(async (flags: ConfigFlags) => {
    const { loadConfig } = await import('../config/load.ts')
    const { printConfig } = await import('../config/print.ts')
    writeOutput(printConfig(loadConfig({ file: flags.config, flags: configFlags(flags) })))
  })
}

function schemaCommand(): Command {
  const command = new Command('schema').description('Print the JSON Schema of the configuration file.')
  addExamples(command, [['interceptor config schema > interceptor.schema.json', 'for an editor that checks YAML']])
  return command.action(async () => {
    const { configJsonSchema } = await import('../config/reference.ts')
    writeOutput(configJsonSchema())
  })
}
