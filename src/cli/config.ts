/** `interceptor config print|schema|validate`: prints the effective configuration or its JSON Schema, or checks it. */
import { Command } from 'commander'
import { addConfigOptions, addExamples, type ConfigFlags, configFlags, VERBOSE_STACK } from './options.ts'
import { writeOutput } from './terminal.ts'

/** Creates the command with its subcommands. */
export function configCommand(): Command {
  const command = new Command('config').description(
    'Print the effective configuration or its JSON Schema, or check a configuration.',
  )
  addExamples(command, [
    ['interceptor config print --config agent.yaml', 'print every key, its value and the origin of the value'],
    ['INTERCEPTOR_SHIP_MAX_AGE=10m interceptor config print', 'set a value from the environment'],
    ['interceptor config schema > interceptor.schema.json', 'write the schema for an editor that validates YAML'],
  ])
  command.addCommand(printCommand())
  command.addCommand(schemaCommand())
  command.addCommand(validateCommand())
  return command
}

function printCommand(): Command {
  const command = new Command('print').description(
    'Print the effective configuration as YAML, each value with its origin. It contains names of password files, never passwords.',
  )
  addExamples(addConfigOptions(command, VERBOSE_STACK), [
    ['interceptor config print', 'print the defaults and what the environment sets'],
    ['interceptor config print --config agent.yaml', 'print the values of a file'],
    ['interceptor config print --set limits.memory=1GiB', 'print a value set on the command line'],
  ])
  return command.action(async (flags: ConfigFlags) => {
    const { loadConfig } = await import('../config/load.ts')
    const { printConfig } = await import('../config/print.ts')
    writeOutput(printConfig(loadConfig({ file: flags.config, flags: configFlags(flags) })))
  })
}

function validateCommand(): Command {
  const command = new Command('validate').description(
    'Check a configuration: exit with 0 if the agent would accept it, else with 2 and every problem.',
  )
  addExamples(addConfigOptions(command, VERBOSE_STACK), [
    ['interceptor config validate --config agent.yaml', 'check a file'],
    ['interceptor config validate --config agent.yaml && kubectl apply -f .', 'apply it only if it is valid'],
  ])
  return command.action(async (flags: ConfigFlags) => {
    const { loadConfig } = await import('../config/load.ts')
    loadConfig({ file: flags.config, flags: configFlags(flags) })
    if (flags.quiet !== true) writeOutput('the configuration is valid\n')
  })
}

function schemaCommand(): Command {
  const command = new Command('schema').description('Print the JSON Schema of the configuration file.')
  addExamples(command, [
    ['interceptor config schema > interceptor.schema.json', 'write the schema for an editor that validates YAML'],
  ])
  return command.action(async () => {
    const { configJsonSchema } = await import('../config/reference.ts')
    writeOutput(configJsonSchema())
  })
}
