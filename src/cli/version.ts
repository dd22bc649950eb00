/** `interceptor version`: the versions of the program and of what it runs on, as a bug report needs them. */
import { release } from 'node:os'
import { Command } from 'commander'
import { VERSION } from '../version.ts'
import { addExamples } from './options.ts'
import { writeOutput } from './terminal.ts'

/** Creates the command. */
export function versionCommand(): Command {
  const command = new Command('version').description('Print the versions of the program, Node.js and the kernel.')
  addExamples(command, [['interceptor version', 'print the versions for a bug report']])
  return command.action(() => {
    writeOutput(`interceptor ${VERSION}\nNode.js ${process.versions.node}\n`)
    writeOutput(`${process.platform} ${release()} ${process.arch}\n`)
  })
}
