/** `npm run fuzz -- --frames N --seed S`: checks the laws on N frames. The exit code is 1 at the first violation. */
import { parseArgs } from 'node:util'
import { commandLine, positive, wholeNumber } from '../../../rig/command-line.ts'
import { holdToLaws } from './laws.ts'

const STEP_FRAMES = 200_000

const HELP = `Usage: npm run fuzz -- [--frames N] [--seed S]

  --frames N    how many frames are checked (default 10000000)
  --seed S      what to draw them from (default: from the clock); a violation names it
`

const { frames, seed } = commandLine(HELP, process.argv.slice(2), (args) => {
  const { values } = parseArgs({ args, options: { frames: { type: 'string' }, seed: { type: 'string' } } })
  return {
    frames: positive('--frames', values.frames ?? '10000000'),
    seed: wholeNumber('--seed', values.seed ?? String(Date.now() % 1_000_000_000)),
  }
})
const started = performance.now()
let done = 0
for (let next = seed; done < frames; next += 1_000_000) {
  const tally = holdToLaws(next, Math.min(STEP_FRAMES, frames - done))
  done += tally.frames
  const seconds = Math.round((performance.now() - started) / 1000)
  process.stderr.write(
    `${done} frames, ${seconds} s, seed ${next}; reordered ${tally.kept} of ${tally.reordered} exchanges kept\n`,
  )
}
