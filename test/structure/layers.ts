/**
 * The order of the folders in src/. A file may import from layers below its own, and from its own folder; never from a
 * layer above, and never from another folder of its own layer.
 */

/** From the top down. */
export const LAYERS: readonly { folders: readonly string[]; why: string }[] = [
  { folders: ['main.ts'], why: 'the program: the only place that exits' },
  { folders: ['launch.ts'], why: 'starts the command line' },
  { folders: ['cli'], why: 'one file for each command; whatever a command needs is below' },
  {
    folders: ['agent', 'doctor', 'ui'],
    why: 'what a command starts: the node agent, the checks of a machine, and the page for the browser',
  },
  {
    folders: ['supervisor', 'admin', 'tail'],
    why: 'threads and their lifecycles; metrics and health; reading a topic back',
  },
  {
    folders: ['capture', 'assemble', 'ship', 'discovery'],
    why: 'the stages: they meet in shared memory and in messages, so one can be changed, or crash, without the others',
  },
  {
    folders: ['kafka', 'format', 'output', 'tap'],
    why: 'the clients that ship, read and check; the forms that people read',
  },
  { folders: ['openapi'], why: 'what an API looks like, from its pairs' },
  { folders: ['routes'], why: 'routes of requests, and what is counted of each' },
  { folders: ['select'], why: 'which pairs people want to see, and which fields of them' },
  { folders: ['thread'], why: 'what threads share: control words, mailboxes, and the messages between them' },
  { folders: ['config'], why: 'the settings' },
  {
    folders: ['log', 'ledger', 'target'],
    why: 'what every stage reports to, and how all of them identify a capture point',
  },
  { folders: ['pair', 'ring'], why: 'the two formats between the stages: a pair, and a ring of records' },
  { folders: ['async', 'net', 'sys', 'wasm'], why: 'tools that use nothing of this program except its errors' },
  { folders: ['errors.ts', 'version.ts'], why: 'errors with their exit codes and hints; the version' },
]

/** What the other folders of the checkout may import, in addition to their own files. */
export const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  src: [],
  rig: ['src'],
  deploy: ['src', 'rig'],
  bench: ['src', 'rig'],
  scripts: ['src', 'rig', 'deploy', 'bench'],
  test: ['src', 'rig', 'deploy', 'bench', 'scripts'],
}

/** The stages, see LAYERS. The most important rule has a separate test. */
export const STAGES = ['capture', 'assemble', 'ship', 'discovery'] as const

/** The folder of src/ that a path lies in, or the file itself: `src/ring/layout.ts` is in `ring`. */
export const folderOf = (path: string): string => path.split('/')[1]

/** Packages that only one place may import. */
export const SEAMS: readonly { packages: RegExp; within: string; why: string }[] = [
  {
    packages: /^koffi$/,
    within: 'src/sys/',
    why: 'foreign functions can crash the process: one place has the rules for them',
  },
  { packages: /^kafkajs$/, within: 'src/kafka/', why: 'ship, tail and doctor use the client through one interface' },
  { packages: /^kafkajs\//, within: 'src/kafka/kafkajs-', why: 'its internals may move with any version' },
  { packages: /^cap$/, within: 'src/capture/', why: 'it is optional, and works in the main thread of a process only' },
  { packages: /^piscina$/, within: 'src/supervisor/workers/assembler-thread.ts', why: 'one way to start an assembler' },
  {
    packages: /^@kubernetes\//,
    within: 'src/discovery/kubernetes/',
    why: 'it is large: loaded only where there is an API server',
  },
  {
    packages: /^@marcbachmann\/cel-js$/,
    within: 'src/select/expression.ts',
    why: 'loaded only for --where',
  },
  { packages: /^pino$/, within: 'src/log/', why: 'lines are written from the main thread only' },
]

/**
 * Files that import each other in a circle, and the reason. A test fails when a circle is not listed, and when a listed
 * one is gone.
 */
export const CIRCLES: readonly { files: readonly string[]; why: string }[] = []
