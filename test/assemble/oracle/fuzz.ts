/** `npm run fuzz -- --frames N --seed S`: checks the laws on N frames. The exit code is 1 at the first violation. */
import { parseArgs } from 'node:util'
import { holdToLaws } from './laws.ts'

const STEP_FRAMES = 200_000

const { values } = parseArgs({ options: { frames: { type: 'string' }, seed: { type: 'string' } } })
const frames = Number(values.frames ?? 10_000_000)
const seed = Number(values.seed ?? Date.now() % 1_000_000_000)
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
