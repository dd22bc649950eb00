/** `interceptor completion bash|zsh|fish`: prints a completion script, made from the definitions of the commands. */
import { Argument, Command, type Option } from 'commander'
import { addExamples } from './options.ts'
import { writeOutput } from './terminal.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** @param program returns the program, whose commands are completed */
export function completionCommand(program: () => Command): Command {
  const command = new Command('completion')
    .description('Print a completion script for a shell.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
  addExamples(command, [
    ['source <(interceptor completion bash)', 'complete in this bash'],
    ['interceptor completion zsh > ~/.zfunc/_interceptor', 'complete in zsh, with ~/.zfunc in fpath'],
    ['interceptor completion fish > ~/.config/fish/completions/interceptor.fish', 'complete in fish'],
  ])
  return command.action((shell: Shell) => writeOutput(completionScript(shell, program())))
}

/** A command as the scripts see it. */
interface Completed {
  readonly name: string
  readonly description: string
  readonly options: readonly Option[]
  /** Names of its own commands, or the choices of its first argument; empty: it has files. */
  readonly words: readonly string[]
}

/** Generates the script of a shell. */
function completionScript(shell: Shell, program: Command): string {
  const commands = program.commands.map(completed)
  if (shell === 'bash') return bashScript(commands)
  return shell === 'zsh' ? zshScript(commands) : fishScript(commands)
}

function completed(command: Command): Completed {
  const [first] = command.registeredArguments
  return {
    name: command.name(),
    description: command.description(),
    options: [...command.options, ...command.commands.flatMap((inner) => inner.options)],
    words: command.commands.length > 0 ? command.commands.map((inner) => inner.name()) : (first?.argChoices ?? []),
  }
}

const flagsOf = ({ short, long }: Option): string[] =>
  [short, long].filter((flag) => flag !== undefined && flag !== null)
const takesValue = ({ required, optional }: Option): boolean => required || optional

function bashScript(commands: readonly Completed[]): string {
  const names = commands.map(({ name }) => name)
  const choices = commands.flatMap(({ name, options }) =>
    options.filter(takesValue).map((option) => {
      const patterns = flagsOf(option).map((flag) => `"${name} ${flag}"`)
      // Without choices there are no words, so that bash completes files.
      return `    ${patterns.join('|')}) COMPREPLY=($(compgen -W "${(option.argChoices ?? []).join(' ')}" -- "$cur")); return ;;`
    }),
  )
  const words = commands.map(({ name, options, words: own }) => {
    return `    ${name}) flags="${[...options.flatMap(flagsOf), '--help'].join(' ')}"; words="${own.join(' ')}" ;;`
  })
  return `# Completion of interceptor for bash: source <(interceptor completion bash)
_interceptor() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="" flags="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in ${names.join('|')}) command="$word"; break ;; esac
  done
  case "$command $prev" in
${choices.join('\n')}
  esac
  case "$command" in
    "") flags="--help --version"; words="${[...names, 'help'].join(' ')}" ;;
${words.join('\n')}
  esac
  if [[ "$cur" == -* ]]; then words="$flags"; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _interceptor interceptor
`
}

/** Single quotes end the word, brackets and colons the description. */
const zshText = (text: string): string => text.replaceAll("'", "'\\''").replace(/[[\]:]/g, '\\$&')

function zshScript(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, options, words }) => {
    const specs = options.flatMap((option) => {
      const value = takesValue(option) ? `:value:${choicesOf(option.argChoices)}` : ''
      return flagsOf(option).map((flag) => `'*${flag}[${zshText(option.description)}]${value}'`)
    })
    return `    ${name}) _arguments ${[...specs, `'*:argument:${choicesOf(words)}'`].join(' ')} ;;`
  })
  const listed = commands.map(({ name, description }) => `'${name}:${zshText(description)}'`)
  return `#compdef interceptor
_interceptor() {
  local -a commands=(${listed.join(' ')})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = "_interceptor" ]; then _interceptor "$@"; else compdef _interceptor interceptor; fi
`
}

const choicesOf = (choices: readonly string[] | undefined): string =>
  choices === undefined || choices.length === 0 ? '_files' : `(${choices.join(' ')})`

const fishText = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`

function fishScript(commands: readonly Completed[]): string {
  const names = commands.map(({ name }) => name).join(' ')
  const lines = commands.flatMap(({ name, description, options, words }) => {
    const inside = `complete -c interceptor -n '__fish_seen_subcommand_from ${name}'`
    return [
      `complete -c interceptor -n 'not __fish_seen_subcommand_from ${names}' -f -a ${name} -d ${fishText(description)}`,
      ...(words.length > 0 ? [`${inside} -f -a '${words.join(' ')}'`] : []),
      ...options.map((option) => `${inside} ${fishOption(option)}`),
    ]
  })
  return `${lines.join('\n')}\n`
}

function fishOption(option: Option): string {
  const { short, long, argChoices = [], description } = option
  const parts = [
    ...(short ? [`-s ${short.slice(1)}`] : []),
    ...(long ? [`-l ${long.slice(2)}`] : []),
    ...(takesValue(option) ? [argChoices.length > 0 ? `-x -a '${argChoices.join(' ')}'` : '-r'] : []),
    `-d ${fishText(description)}`,
  ]
  return parts.join(' ')
}
