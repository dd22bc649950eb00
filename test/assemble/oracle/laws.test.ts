/** Some 40,000 frames of generated conversations; `npm run fuzz` runs more. */
import { test } from 'node:test'
import { holdToLaws } from './laws.ts'

/** The seed differs in each run; a failure prints the seed that repeats it: `npm run fuzz -- --seed SEED`. */
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_000)
const FRAMES = 40_000

test(`laws: ${FRAMES} frames from seed ${SEED} on yield no wrong pair`, () => {
  holdToLaws(SEED, FRAMES)
})
